"""Takes heartbeats from workspaces and records them, seldom, in their status."""
