"""A deadline for a span of statements: a timer that shuts the client's socket.

The server's own statement_timeout cannot fire in a server that is stopped, and a dead network says nothing at all. A
socket that is shut wakes whoever waits on it, and the driver reports the connection as lost.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg


class Cutter:
    """Shuts the sockets of connections whose time is over. One thread serves all of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[int, tuple[float, int]] = {}
        self._number = 0
        self._thread: threading.Thread | None = None

    @contextmanager
    def within(self, connection: psycopg.Connection[object], seconds: float | None) -> Iterator[None]:
        """Let a block of statements on a connection take so long at most; None for as long as it takes."""
        if seconds is None or connection.closed:
            yield
            return
        with self._changed:
            self._number += 1
            number = self._number
            self._due[number] = (time.monotonic() + seconds, connection.pgconn.socket)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="statement-deadlines", daemon=True)
                self._thread.start()
            # The thread sleeps until the nearest end; with spans of one length that is never the newest.
            if len(self._due) == 1:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._due.pop(number, None)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for number, (at, descriptor) in list(self._due.items()):
                    if at <= now:
                        del self._due[number]
                        _shut(descriptor)
                nearest = min((at for at, _ in self._due.values()), default=None)
                self._changed.wait(None if nearest is None else min(0.25, max(0.0, nearest - now)))


def _shut(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)
