"""Auto Scaling and EC2 behind the `Fleet` port; the only place that knows boto3."""
