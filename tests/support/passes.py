"""Observations made up for tests of the plan: everything is well, and a test changes what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sep_trader.broker.port import (
    AccountSnapshot,
    AccountSummary,
    BrokerTrade,
    GuaranteedStops,
    Price,
    Pricing,
    Transactions,
)
from sep_trader.execution.marks import Terms, comment_of, tag_of
from sep_trader.execution.observation import Memory, Observation, Seen
from sep_trader.execution.rows import (
    Books,
    Execution,
    LedgerPosition,
    NewSignal,
    PairRight,
    SeenAccount,
    Switch,
)
from sep_trader.execution.settings import TraderSettings
from sep_trader.market.instrument import standard_instrument
from sep_trader.risk.days import broker_day, broker_week
from sep_trader.states import ExecutionStatus, Origin, SpreadSource, TradingState, Verdict

NOW = datetime(2014, 5, 15, 8, 0, 30, tzinfo=UTC)
BEGAN = datetime(2014, 1, 1, tzinfo=UTC)
MONO = 5000.0
DATABASE = "db-1"
ACCOUNT = "101-1"
MODEL = "m1"
BOOKED = 40
SETTINGS = TraderSettings("practice")
EURO = standard_instrument("EUR_USD")
PRICE = Price("EUR_USD", NOW - timedelta(seconds=1), Decimal("1.37000"), Decimal("1.37010"), True)
SUMMARY = AccountSummary(
    account_id=ACCOUNT, currency="USD", balance=Decimal(10_000), nav=Decimal(10_000), unrealized_pl=Decimal(0),
    margin_used=Decimal(0), margin_available=Decimal(10_000), open_trade_count=0, hedging_enabled=False,
    last_transaction_id=BOOKED,
)  # fmt: skip
RIGHT = PairRight(True, MODEL, Verdict.READY, None, SpreadSource.RECORDED, proven_live=True)
SWITCH = Switch(TradingState.ACTIVE, "begun", "Ada", NOW)


def signal(number: int = 1, **changes: Any) -> NewSignal:
    """A sound signal of the candle that ended half a minute ago."""
    given = {
        "id": UUID(int=number), "pair": "EUR_USD", "model_id": MODEL, "granularity": "M1",
        "candle_time": NOW.replace(second=0) - timedelta(minutes=1), "side": 1, "confidence": Decimal("0.5"),
        "stop_distance": Decimal("0.0040"), "target_distance": Decimal("0.0060"), "horizon": timedelta(minutes=30),
        "expires_at": NOW + timedelta(minutes=2), "origin": Origin.MODEL, "max_units": None, "ordered": False,
    }  # fmt: skip
    return NewSignal(**{**given, **changes})


def execution(number: int = 1, **changes: Any) -> Execution:
    """Our order of a signal, with its trade open."""
    status = changes.get("status", ExecutionStatus.OPEN)
    opened = status is ExecutionStatus.OPEN
    given = {
        "id": number, "signal_id": UUID(int=number), "account_id": ACCOUNT, "pair": "EUR_USD",
        "client_id": f"sep-{number}", "status": status, "units": Decimal(1000),
        "open_units": Decimal(1000 if opened else 0), "intent_time": NOW, "intent_transaction_id": 30,
        "expected_price": Decimal("1.37"), "stop_distance": Decimal("0.0040"), "target_distance": None,
        "deadline": NOW - timedelta(minutes=1), "trade_id": 30 + number if opened else None,
        "entry_price": Decimal("1.37") if opened else None,
        "horizon_at": NOW + timedelta(minutes=30) if opened else None, "late": False, "closing_order_id": None,
        "closing_cause": None, "horizon": timedelta(minutes=30), "candle_time": NOW, "granularity": "M1",
    }  # fmt: skip
    return Execution(**{**given, **changes})


def trade(number: int = 31, *, ours: bool = True, **changes: Any) -> BrokerTrade:
    """A trade at the broker, protected; ours by its marks, or a person's."""
    marks = {
        "client_id": f"sep-{number - 30}", "tag": tag_of(DATABASE),
        "comment": comment_of(Terms(NOW + timedelta(minutes=30), Decimal("0.0040"))),
    }  # fmt: skip
    given = {
        "trade_id": number, "instrument": "EUR_USD", "units": Decimal(1000), "initial_units": Decimal(1000),
        "price": Decimal("1.37"), "open_time": NOW, "state": "OPEN", "realized_pl": Decimal(0),
        "financing": Decimal(0), "client_id": None, "stop_loss": Decimal("1.36600"), "take_profit": None,
        **(marks if ours else {}),
    }  # fmt: skip
    return BrokerTrade(**{**given, **changes})


def books(**changes: Any) -> Books:
    """Books that stand where the broker stands."""
    nav = Decimal(10_000)
    given = {
        "database_id": DATABASE, "switch": SWITCH, "ledger": LedgerPosition(BOOKED, Decimal(10_000)),
        "seen": SeenAccount(BEGAN, nav, broker_day(NOW), nav, broker_week(NOW), nav), "executions": (), "signals": (),
        "unreadable_signals": (), "rights": {"EUR_USD": RIGHT}, "last_exits": {}, "requests": (), "elsewhere": (),
        "orders_last_minute": 0, "unknown_lately": 0, "losses_in_a_row": 0, "last_loss": None,
    }  # fmt: skip
    return Books(**{**given, **changes})


def snapshot(*trades: BrokerTrade, **changes: Any) -> AccountSnapshot:
    """The account at the booked transaction, with these trades."""
    return AccountSnapshot(replace(SUMMARY, **changes), BEGAN, GuaranteedStops.DISABLED, trades)


def pricing(*prices: Price, **changes: Any) -> Pricing:
    """The broker's clock, quotes and rates."""
    rates = {"EUR": (Decimal("1.36"), Decimal("1.38"))}
    return Pricing(**{"time": NOW, "prices": prices or (PRICE,), "home_conversions": rates, **changes})


def observation(
    *trades: BrokerTrade, of: Books | None = None, memory: Memory | None = None, **changes: Any
) -> Observation:
    """A pass in which everything is seen."""
    given = {
        "mono": MONO, "now": NOW, "account": Seen(snapshot(*trades), MONO),
        "record": Seen(Transactions((), BOOKED), MONO), "pricing": Seen(pricing(), MONO),
        "books": Seen(of or books(), MONO), "terms": {"EUR_USD": EURO}, "asked": frozenset({"EUR_USD"}),
        "memory": memory or Memory(database_id=DATABASE, state=TradingState.ACTIVE),
    }  # fmt: skip
    return Observation(**{**given, **changes})
