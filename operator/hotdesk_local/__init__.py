"""The local stack: a real control plane, a simulated AWS and machines that answer."""
