"""Simulated machines: each a loopback address that answers, with a directory as its disk."""
