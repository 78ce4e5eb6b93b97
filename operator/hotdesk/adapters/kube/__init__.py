"""The Kubernetes API: a lean client for the claim path, and the session that kopf watches through."""
