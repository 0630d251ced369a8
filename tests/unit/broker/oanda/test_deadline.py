"""A deadline ends a request whatever the server does: finding C3, an answer that trickles hung the only thread."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from sep_trader.broker.deadline import deadline, remaining
from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.transport import Backoff
from sep_trader.broker.port import Unknown
from sep_trader.errors import BrokerUnavailable

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture
def trickling() -> Iterator[str]:
    """A server that sends a byte every tenth of a second, for ever: within the headers, or within the body."""
    server = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            request = connection.recv(65536)
            if b"openTrades" not in request:
                connection.sendall(HEAD)
            while not stopping.wait(0.1):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    stopping.set()
    server.close()


@pytest.fixture
def client(trickling: str) -> Iterator[OandaClient]:
    made = OandaClient(api_url=trickling, stream_url=trickling, token="t", account_id="1", retry=Backoff(base_s=0.01))
    yield made
    made.close()


def test_a_read_that_trickles_ends_with_the_deadline(client: OandaClient) -> None:
    for read in (client.summary, client.open_trades):
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable), deadline(0.5):
            read()
        assert 0.4 < time.monotonic() - began < 3


def test_an_order_that_trickles_is_unknown(client: OandaClient) -> None:
    began = time.monotonic()
    with deadline(0.5):
        outcome = client.close_trade(7)
    assert isinstance(outcome, Unknown)
    assert time.monotonic() - began < 3


def test_a_deadline_within_another_is_never_later() -> None:
    assert remaining() is None
    with deadline(10):
        with deadline(1):
            assert (remaining() or 9) <= 1
            with deadline(5):
                assert (remaining() or 9) <= 1
            with deadline(None):
                assert (remaining() or 9) <= 1
        assert (remaining() or 0) > 1
    assert remaining() is None
    with deadline(0):
        assert remaining() == 0


def test_nothing_is_sent_after_the_deadline(client: OandaClient) -> None:
    with pytest.raises(BrokerUnavailable), deadline(0):
        client.summary()
