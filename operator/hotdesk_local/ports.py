"""Free ports on loopback that stay free over a restart."""

import random
import socket

# Below the range from which Linux takes ports for outgoing connections (32768 on): while a server of ours is
# restarted, no client can be given its port.
_LOWEST, _HIGHEST = 20000, 32000
_TRIES = 200


def free_port(*, address: str = "127.0.0.1") -> int:
    """Return a port nobody listens on now. Drawn at random, so that two stacks started at once do not meet."""
    draw = random.SystemRandom()
    for _ in range(_TRIES):
        port = draw.randint(_LOWEST, _HIGHEST)
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port on {address} between {_LOWEST} and {_HIGHEST}")
