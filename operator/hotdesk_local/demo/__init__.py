"""`hotdesk local demo`: what Hotdesk does, shown on a stack of its own."""
