"""The network between the operator and the API server: it can refuse, break connections, or say nothing any more."""

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: closing sends RST
_CHUNK = 65536


@dataclass
class _Pair:
    """One connection through the proxy."""

    client: socket.socket
    server: socket.socket
    silent: bool = False

    def reset(self) -> None:
        """Break it on both sides, as a network that lost its state does."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy:
    """Forwards bytes to a port of loopback; TLS passes through it untouched."""

    def __init__(self, port: int) -> None:
        """Listen on a free port."""
        self._target = port
        self._refuses = False
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def refuse(self) -> None:
        """Break every connection and take no new one, until `restore`."""
        self._refuses = True
        self.cut()

    def restore(self) -> None:
        """Take connections again."""
        self._refuses = False

    def cut(self) -> None:
        """Break every connection; new ones are welcome."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.reset()

    def silence(self) -> None:
        """Let every connection of now stay open and carry nothing any more; new ones are as good as ever."""
        with self._lock:
            for pair in self._pairs:
                pair.silent = True

    def close(self) -> None:
        """End everything."""
        self.refuse()
        # A thread that waits in accept() is woken by shutdown, not by close.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            if self._refuses:
                raise ConnectionRefusedError  # the same as when nobody listens there
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        pair = _Pair(client=client, server=server)
        with self._lock:
            self._pairs.append(pair)
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(pair, source, sink), name="pump", daemon=True).start()

    def _pump(self, pair: _Pair, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if not pair.silent:
                    sink.sendall(data)
        if not pair.silent:
            pair.reset()
