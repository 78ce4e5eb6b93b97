"""A simulated AWS: EC2 instances and Auto Scaling groups by AWS's rules, everything else from moto."""
