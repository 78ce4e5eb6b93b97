"""Who is at work on a machine: what its programs and CloudWatch say."""
