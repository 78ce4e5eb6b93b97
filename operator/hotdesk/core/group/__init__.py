"""The pool's Auto Scaling group: how it is set up, how large it is to be, and which machines leave it."""
