"""Hotdesk: a warm EC2 machine for every workspace."""
