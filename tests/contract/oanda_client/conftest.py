"""A simulated exchange as a process of its own, on a stepped clock over recorded quotes; one account for each test."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support import recorded
from tests.support.exchange import launched

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.limiter import RateLimiter
from sep_trader.broker.oanda.transport import Backoff

ROOT = Path(__file__).parents[3]
ACCOUNTS = [f"101-001-{number:07d}-001" for number in range(1, 81)]


@dataclass
class Exchange:
    """The running exchange: its address, its admin routes, and accounts nobody has used yet."""

    url: str
    accounts: Iterator[str] = field(default_factory=lambda: iter(ACCOUNTS))

    def admin(self, route: str, body: Any) -> Any:
        answer = httpx.post(f"{self.url}/_exchange/{route}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def step(self, seconds: float) -> None:
        self.admin("step", {"seconds": seconds})

    def fault(self, kind: str, route: str, **rest: Any) -> None:
        self.admin("faults", {"kind": kind, "route": route} | rest)

    def clear(self) -> None:
        """Lift the faults, each of which must have struck: otherwise a test has tested nothing."""
        faults = httpx.get(f"{self.url}/_exchange/faults").json()["faults"]
        httpx.delete(f"{self.url}/_exchange/faults").raise_for_status()
        assert [rule["kind"] for rule in faults if not rule["struck"]] == []


@contextmanager
def started(*options: str) -> Iterator[Exchange]:
    """Run `sep exchange serve` until the block ends."""
    accounts = itertools.chain.from_iterable(("--account", account) for account in ACCOUNTS)
    with launched("--token", "TOKEN", *accounts, *options) as exchange:
        yield Exchange(exchange.url)
        exchange.kill()


@pytest.fixture(scope="session")
def running() -> Iterator[Exchange]:
    with started(*recorded.quotes("tick"), "--clock", "stepped", "--start", "2014-05-05T12:00:00Z") as exchange:
        yield exchange


@pytest.fixture
def exchange(running: Exchange) -> Iterator[Exchange]:
    yield running
    running.clear()


@pytest.fixture
def connect(exchange: Exchange) -> Iterator[Callable[..., OandaClient]]:
    """Make clients of the exchange, all of the same fresh account."""
    account = next(exchange.accounts)
    made: list[OandaClient] = []

    def make(**changes: Any) -> OandaClient:
        given: dict[str, Any] = {
            "api_url": exchange.url,
            "stream_url": exchange.url,
            "token": "TOKEN",
            "account_id": account,
            "timeout_s": 2.0,
            "retry": Backoff(base_s=0.02, cap_s=0.2),
        }
        made.append(OandaClient(**(given | changes)))
        # Faults cost connections, and two a second would make the tests wait.
        made[-1]._transport.connections = RateLimiter(100)
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(connect: Callable[..., OandaClient]) -> OandaClient:
    return connect()
