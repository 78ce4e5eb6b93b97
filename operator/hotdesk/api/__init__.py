"""The wire: what Hotdesk's resources look like in the API server, and nothing about what to do with them."""
