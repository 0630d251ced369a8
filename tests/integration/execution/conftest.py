"""A trader's world: a database with a trained pair, and a simulated exchange with a stepped clock in a process."""

import json
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from tests.support import recorded
from tests.support.exchange import launched
from tests.support.transactions import transaction

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.transport import Backoff
from sep_trader.broker.port import AccountSnapshot, Transactions
from sep_trader.execution.settings import TraderSettings
from sep_trader.execution.trader import Trader
from sep_trader.ledger.transactions import Event, Fill
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.research.artifact import Model
from sep_trader.research.parameters import RuleParameters
from sep_trader.risk.limits import RiskLimits
from sep_trader.signals.job import insert_signals
from sep_trader.signals.signal import Signal, signal_id
from sep_trader.states import SignalKind
from sep_trader.store.database import Database

ACCOUNT = "101-001-0000001-001"
TOKEN = "test-token"
START = "2014-05-15T08:00:00Z"
MODEL = Model("EUR_USD", Granularity.M1, RuleParameters(), "0" * 64)


RISK_FILE = Path(__file__).with_name("risk.toml")
# Stops of a few pips are many units: what limits them is tested by itself.
WIDE: dict[str, Any] = {
    "max_leverage": Decimal(100), "max_currency_exposure": Decimal(100), "margin_headroom": Decimal(0),
    "min_stop_pips": Decimal(0), "min_stop_spreads": Decimal(0),
}  # fmt: skip


@dataclass
class SteppedClock:
    """Spans that pass when a test says so."""

    at: float = 1000.0

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.at += seconds
        return event.is_set()


@dataclass
class World:
    """What a test of the trader has at hand."""

    database: Database
    url: str
    clients: list[OandaClient] = field(default_factory=list)
    clock: SteppedClock = field(default_factory=SteppedClock)
    """The traders' own clock: it runs as the exchange's is stepped."""
    traders: list[Trader] = field(default_factory=list)

    def admin(self, route: str, body: Any) -> Any:
        answer = httpx.post(f"{self.url}/_exchange/{route}", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def step(self, seconds: float) -> None:
        self.admin("step", {"seconds": seconds})
        self.clock.at += seconds

    def fault(self, kind: str, route: str, **rest: Any) -> None:
        self.admin("faults", {"kind": kind, "route": route} | rest)

    def now(self) -> datetime:
        return parse_rfc3339(httpx.get(f"{self.url}/_exchange/now").json()["now"])

    def account(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/_exchange/state").json()["accounts"][ACCOUNT])

    def client(self) -> OandaClient:
        client = OandaClient(
            api_url=self.url, stream_url=self.url, token=TOKEN, account_id=ACCOUNT, timeout_s=5,
            retry=Backoff(base_s=0.02, cap_s=0.1),
        )  # fmt: skip
        self.clients.append(client)
        return client

    def trader(self, *, look: bool = True, client: OandaClient | None = None, **settings: Any) -> Trader:
        """A trader after its first passes, unless it is not to look yet."""
        given: dict[str, Any] = {"environment": "custom", "status_s": 0, "limits": RiskLimits(**WIDE)} | settings
        trader = Trader(self.database, client or self.client(), TraderSettings(**given), clock=self.clock)
        self.traders.append(trader)
        if look:
            trader.settle()
        return trader

    def signal(
        self,
        side: int = 1,
        *,
        minutes: int = 0,
        stop: str = "0.00100",
        target: str = "0.00150",
        horizon: int = 30,
        kind: SignalKind = SignalKind.ENTRY,
    ) -> uuid.UUID:
        """Write a signal of the candle that ended `minutes` ago, and return its id."""
        candle = self.now().replace(second=0, microsecond=0) - timedelta(minutes=1 + minutes)
        signal = Signal(
            id=signal_id(MODEL.id, "EUR_USD", candle, kind), kind=kind, pair="EUR_USD", model_id=MODEL.id,
            granularity="M1",
            candle_time=candle, side=side, confidence=Decimal("0.5"), metrics={},
            stop_distance=Decimal(stop), target_distance=Decimal(target),
            horizon=timedelta(minutes=horizon), expires_at=candle + timedelta(minutes=3),
        )  # fmt: skip
        with self.database.transaction() as connection:
            assert insert_signals(connection, [signal]) == [signal]
        return signal.id

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.database.url, row_factory=dict_row) as connection:
            return connection.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> dict[str, Any]:
        (only,) = self.rows(statement, *values)
        return only

    def execute(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.database.url) as connection:
            connection.execute(statement, values)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ, "SEP_DATABASE_URL": self.database.url, "OANDA_ENVIRONMENT": "custom",
            "OANDA_API_URL": self.url, "OANDA_API_KEY": TOKEN, "OANDA_ACCOUNT_ID": ACCOUNT,
            # The exchange's clock stands still, or is stepped by many minutes.
            "SEP_CLOCK_TOLERANCE_S": "1e9", "SEP_MAX_LEVERAGE": "100", "SEP_MAX_CURRENCY_EXPOSURE": "100",
            "SEP_MARGIN_HEADROOM": "0", "SEP_RISK_PER_TRADE": "0.0005", "SEP_RISK_FILE": str(RISK_FILE),
        }  # fmt: skip

    def books_balance(self) -> bool:
        """Does what our executions earned equal what the exchange's account gained?"""
        ours = self.row("SELECT coalesce(sum(net_pl), 0) AS net FROM trade_executions")["net"]
        return bool(ours == Decimal(self.account()["balance"]) - 100_000)


def told(world: World, trader: Trader, event: Event, amount: str = "0", *, off: str = "0") -> None:
    """Let the broker tell a made-up next transaction that states the right balance, or one that is off."""
    ledger = world.row("SELECT last_transaction_id, balance FROM ledger_accounts")
    stated = ledger["balance"] + Decimal(amount) + Decimal(off)
    one = transaction(ledger["last_transaction_id"] + 1, event, balance=stated, kind="MADE_UP")
    client = trader._broker
    look = client.snapshot

    def agreeing() -> AccountSnapshot:
        seen = look()
        moved = stated - seen.summary.balance
        summary = replace(seen.summary, balance=stated, nav=seen.summary.nav + moved, last_transaction_id=one.id)
        gone = {part.trade_id for part in event.closed} if isinstance(event, Fill) else set()
        return replace(seen, summary=summary, trades=tuple(t for t in seen.trades if t.trade_id not in gone))

    fake: Any = client
    fake.snapshot, fake.transactions_since = agreeing, lambda since: Transactions((one,), one.id)
    trader.settle()


def by_a_person(world: World, method: str, route: str, body: dict[str, Any]) -> Any:
    """What a person does at the broker, beside the trader."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.request(method, f"{world.url}/v3/accounts/{ACCOUNT}/{route}", json=body, headers=headers)
    assert answer.is_success, answer.text
    return answer.json()


@contextmanager
def world_at(database: Database, start: str = START) -> Iterator[World]:
    """A migrated database with EUR_USD enabled and trading ACTIVE, and a fresh exchange at a time."""
    options = ["--token", TOKEN, "--account", ACCOUNT, "--clock", "stepped", "--start", start]
    with launched(*options, *recorded.quotes("minute")) as exchange:
        made = World(database, exchange.url)
        enable(made)
        yield made
        for trader in made.traders:
            trader.close()
        for client in made.clients:
            client.close()
        exchange.kill()


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    """The world of a Thursday morning."""
    with world_at(database) as made:
        yield made


def enable(world: World) -> None:
    """Put a model in place and let its pair trade."""
    run = uuid.uuid4()
    world.execute(
        "INSERT INTO research_runs (id, pair, granularity, first_candle, last_candle, candles, data_hash, code_version,"
        " settings, seed, trials, verdict, reason, evidence)"
        " VALUES (%s, 'EUR_USD', 'M1', now(), now(), 1, '', '', '{}', 1, 1, 'NOT_READY', 'test', '{}')",
        run,
    )
    world.execute(
        "INSERT INTO models (id, pair, granularity, run_id, artifact) VALUES (%s, 'EUR_USD', 'M1', %s, %s)",
        MODEL.id, run, json.dumps(MODEL.to_json()),
    )  # fmt: skip
    world.execute(
        "INSERT INTO trading_pairs (pair, enabled, model_id, verdict, override_by, override_reason)"
        " VALUES ('EUR_USD', true, %s, 'NOT_READY', 'tests', 'tests')",
        MODEL.id,
    )
    world.execute("UPDATE trading_state SET state = 'ACTIVE', reason = 'tests', changed_by = 'tests'")
