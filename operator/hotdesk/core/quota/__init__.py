"""What one owner may use of a pool: so many workspaces, and so many minutes a day."""
