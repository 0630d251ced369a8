"""The programs as processes: one run here, a hundred and more with `make campaign`."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.exchange.witness import Entry, Held, recorded
from sep_trader.simulation.audit import Audit, Booked
from sep_trader.simulation.campaign import FAULTS, _Faults
from sep_trader.simulation.campaigns import campaign
from sep_trader.simulation.settled import Disagrees, check
from sep_trader.states import ExecutionStatus, SignalStatus, TradingState

NOW = datetime(2026, 1, 6, 9, 10, tzinfo=UTC)
TAG = "sep:simulation"


def test_a_run_comes_to_rest_with_the_books_that_the_broker_has() -> None:
    result = campaign(1, 4)
    (ran,) = result.runs
    assert ran.violation is None, (ran.violation, ran.faults)
    assert len(ran.faults) == 3 and ran.trades > 0


def test_every_fault_is_explained_and_can_be_done() -> None:
    assert all(callable(getattr(_Faults, name)) for name in FAULTS) and all(FAULTS.values())


def booked(**changes: Any) -> Booked:
    given = {
        "id": 1, "signal": "s", "client": "sep-1", "pair": "EUR_USD", "status": ExecutionStatus.OPEN,
        "units": Decimal(10), "open_units": Decimal(10), "trade": 4, "late": False, "deadline": None,
        "stop": Decimal("0.001"),
        "quoted": None, "expected": Decimal(1), "net": Decimal(0), "gross": Decimal(0),
    }  # fmt: skip
    return Booked(**{**given, **changes})


def audit(*executions: Booked, **changes: Any) -> Audit:
    given = {
        "state": TradingState.ACTIVE, "changed_by": "simulation", "booked": 4, "balance": Decimal(100),
        "nav_high": Decimal(100), "record": (4, 1, 4), "entries": Decimal(0), "cash": Decimal(0),
        "unexplained": Decimal(0),
        "executions": {e.client: e for e in executions}, "signals": {}, "requests": 0,
    }  # fmt: skip
    return Audit(**{**given, **changes})


def record(*, names: tuple[str, ...] = ("sep-1",), trade: int = 4) -> list[Entry]:
    """A record of orders, and of a fill with the id 4."""
    raw: list[dict[str, Any]] = [{"id": "1", "type": "CREATE"}]
    raw += [
        {"id": str(i + 2), "type": "MARKET_ORDER", "clientExtensions": {"id": name}} for i, name in enumerate(names)
    ]
    opened = {"tradeID": str(trade), "clientExtensions": {"tag": TAG}}
    return recorded({"transactions": [*raw, {"id": "4", "type": "ORDER_FILL", "tradeOpened": opened}]})


HELD = Held(4, Decimal(10), "until 2026-01-06T09:10:00Z stop 0.001", has_stop=True)


def test_books_that_are_the_brokers_agree() -> None:
    check(audit(booked()), record(), [HELD], Decimal(100), NOW)


@pytest.mark.parametrize(
    ("invariant", "books", "changes"),
    [
        ("S1", audit(booked()), {"record": record(names=("sep-1", "sep-1"))}),
        ("Q1", audit(booked(status=ExecutionStatus.UNKNOWN)), {}),
        ("L3", audit(booked(), signals={"s": (SignalStatus.NEW, None, "EUR_USD")}), {}),
        ("S6", audit(booked(), record=(3, 1, 4)), {}),
        ("S6", audit(booked(), booked=3, record=(3, 1, 3)), {}),
        ("S7", audit(booked(), balance=Decimal(99)), {}),
        ("S7", audit(booked(), unexplained=Decimal(1)), {}),
        ("S4", audit(booked()), {"record": record(trade=5)}),
        ("Q2", audit(booked(open_units=Decimal(9))), {}),
        ("Q2", audit(booked()), {"trades": []}),
        ("L1", audit(booked()), {"now": datetime(2026, 1, 6, 9, 12, tzinfo=UTC)}),
        ("L2", audit(booked()), {"trades": [replace(HELD, has_stop=False)]}),
        ("Q4", audit(booked(), state=TradingState.HALTED), {}),
    ],
)
def test_what_differs_is_named(invariant: str, books: Audit, changes: dict[str, Any]) -> None:
    given: dict[str, Any] = {"record": record(), "trades": [HELD], "balance": Decimal(100), "now": NOW, **changes}
    with pytest.raises(Disagrees) as error:
        check(books, **given)
    assert error.value.invariant == invariant
