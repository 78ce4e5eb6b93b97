"""kopf's part: watch events become news for the directory, and nothing else."""
