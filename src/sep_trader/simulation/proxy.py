"""A proxy between the trader and the exchange: what a network does to connections."""

import contextlib
import socket
import threading
import time
from typing import Literal

from sep_trader.listening import listen

Mode = Literal["pass", "refuse", "swallow", "lose_answers", "slow"]
_CHUNK = 65_536
_SLOW_S = 0.7
_CONNECT_S = 2.0


class Proxy:
    """Passes bytes on to a port, as the mode says. The mode of new bytes may be changed at any time."""

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.mode: Mode = "pass"
        self._listener = listen("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def cut(self) -> None:
        """Break every connection."""
        with self._lock:
            for one in self._open:
                _shut(one)

    def close(self) -> None:
        """End."""
        _shut(self._listener)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.mode == "refuse":
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.to_port), timeout=_CONNECT_S)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        with self._lock:
            self._open |= {client, server}
        back = threading.Thread(target=self._pump, args=(server, client, True), daemon=True)
        back.start()
        self._pump(client, server, False)
        back.join()
        with self._lock:
            self._open -= {client, server}
        client.close()
        server.close()

    def _pump(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                mode = self.mode
                if mode == "swallow":
                    continue
                if mode == "lose_answers" and answers:
                    break
                if mode == "slow":
                    time.sleep(_SLOW_S)
                target.sendall(data)
        _shut(source)
        _shut(target)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
