"""What touches the world: AWS, Kubernetes, HTTP probes, metrics."""
