"""A real etcd and kube-apiserver as processes on loopback."""
