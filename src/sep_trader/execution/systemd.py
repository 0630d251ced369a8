"""Words to the service manager: ready, alive. Source: sd_notify(3); nothing happens where there is none."""

import socket
from contextlib import suppress


def notify(address: str | None, text: str) -> None:
    """Send a state, such as READY=1 or WATCHDOG=1, to the socket that systemd named; None for none."""
    if address is None:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        sender.send(text.encode())
