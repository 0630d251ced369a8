"""All data of a COPY TO STDOUT, as fast as the server gives it.

Every row comes as a message of its own, and libpq returns one row per call: a million calls for a million rows. Over a
unix socket, which is never encrypted, this module reads the messages from the socket itself, and numpy takes runs of
rows of one length apart (PostgreSQL documentation, "Frontend/Backend Protocol"). Over a network libpq reads. Why, and
what can go wrong: docs/decisions/0005-copy-from-the-socket.md.
"""

import os
import socket
import struct
import time
from collections.abc import Callable

import numpy as np
import psycopg
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

_BLOCK = 1 << 20
# The server sends 8 kB at a time. Past the first megabyte, being woken for each costs more than letting some come.
_PATIENT_AFTER, _PAUSE_S = 1 << 20, 5e-5
Take = Callable[[bytes], object]
"""Called with each piece of the data, which ends where a row does."""
# A socket with a timeout stays non-blocking underneath, as libpq needs it to be.
_FOREVER_S = 86_400.0


class Way:
    """Which way the data take. `socket` False makes libpq read everywhere (SEP_COPY_FROM_SOCKET)."""

    socket = True


def read_copy(pgconn: PGconn, statement: bytes, take: Take) -> None:
    """Run a COPY ... TO STDOUT on an idle connection and hand its data on. Raises psycopg.Error as the driver does."""
    if Way.socket and _on_unix_socket(pgconn):
        _by_socket(pgconn, statement, take)
    else:
        _by_libpq(pgconn, statement, take)


def _on_unix_socket(pgconn: PGconn) -> bool:
    return pgconn.host.startswith(b"/")


def _by_libpq(pgconn: PGconn, statement: bytes, take: Take) -> None:
    _expect(pgconn.exec_(statement), ExecStatus.COPY_OUT)
    blocks = []
    length, block = pgconn.get_copy_data(0)
    while length > 0:
        blocks.append(bytes(block))  # a copy frees libpq's buffer at once: keeping views is four times slower
        length, block = pgconn.get_copy_data(0)
    results = []
    while (result := pgconn.get_result()) is not None:  # to the end, also after an error: else it never is idle again
        results.append(result)
    for result in results:
        _expect(result, ExecStatus.COMMAND_OK)
    take(b"".join(blocks))


def _expect(result: PGresult, status: ExecStatus) -> None:
    if result.status == status:
        return
    if result.error_field(DiagnosticField.SQLSTATE) is None:  # no word of the server: it is gone
        raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
    raise psycopg.errors.error_from_result(result)


def _by_socket(pgconn: PGconn, statement: bytes, take: Take) -> None:
    answer = _Answer(take)
    try:
        with socket.socket(fileno=os.dup(pgconn.socket)) as wire:
            wire.settimeout(_FOREVER_S)
            wire.sendall(b"Q" + struct.pack(">i", len(statement) + 5) + statement + b"\0")
            buffer, filled, total = bytearray(_BLOCK), 0, 0
            while not answer.complete:
                if filled == len(buffer):
                    buffer.extend(bytes(_BLOCK))
                got = wire.recv_into(memoryview(buffer)[filled:])
                if got == 0:
                    raise answer.error or psycopg.OperationalError("server closed the connection unexpectedly")
                filled, total = filled + got, total + got
                used = answer.read(memoryview(buffer)[:filled])
                buffer[: filled - used] = buffer[used:filled]
                filled -= used
                if total > _PATIENT_AFTER and not answer.complete:
                    time.sleep(_PAUSE_S)
    except BaseException as error:
        pgconn.finish()  # libpq does not know how far the answer was read: nobody may use this connection again
        if isinstance(error, OSError):
            raise psycopg.OperationalError(f"server closed the connection: {error.strerror or error}") from error
        raise
    if answer.error:
        raise answer.error


class _Answer:
    """What the server answers to one COPY: data, perhaps an error, and that it is ready again."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self.error: psycopg.Error | None = None
        self.complete = False

    def read(self, received: memoryview) -> int:
        """Read the whole messages at the beginning of what was received; return their length."""
        at = 0
        while len(received) - at >= 5:
            kind, length = bytes(received[at : at + 1]), int.from_bytes(received[at + 1 : at + 5], "big")
            end = at + 1 + length
            if end > len(received):
                break
            if kind == b"d":
                end = at + self._rows(received[at:], length)
            elif kind == b"E":
                self.error = _error(bytes(received[at + 5 : end]))
            elif kind == b"Z":
                self.complete = True
            at = end  # others announce the copy, end it, or are notices
        return at

    def _rows(self, received: memoryview, length: int) -> int:
        """Hand on the run of rows of one length that begins here; return how long it is."""
        message = np.dtype([("kind", "S1"), ("length", ">i4"), ("row", f"V{length - 4}")])
        messages = np.frombuffer(received, message, len(received) // message.itemsize)
        other = np.flatnonzero((messages["kind"] != b"d") | (messages["length"] != length))
        run = messages[: other[0]] if len(other) else messages
        self._take(run["row"].tobytes())
        return len(run) * message.itemsize


def _error(body: bytes) -> psycopg.Error:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    try:
        kind = psycopg.errors.lookup(fields[b"C"])
    except KeyError:
        kind = psycopg.DatabaseError
    return kind(fields.get(b"M", "the server gave no reason"))
