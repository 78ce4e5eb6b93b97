"""Decisions: frozen facts in, a closed set of actions out; no I/O, no clock."""
