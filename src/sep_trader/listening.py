"""The listening socket of our HTTP servers."""

import socket

from sep_trader.errors import InputError


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one. Raises InputError when the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off, which costs 40 ms an answer, only where it is.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(256)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"cannot listen on {host}:{port}: {reason}", "choose another with --port") from None
    return listener
