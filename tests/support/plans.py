"""What tests of the plan ask of it: the acts of an observation, by kind."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sep_trader.broker.port import Transactions
from sep_trader.execution.actions import (
    Action,
    Note,
    Refuse,
    See,
    TurnDown,
)
from sep_trader.execution.observation import Memory, Observation, Seen, Unseen
from sep_trader.execution.plan import plan
from sep_trader.execution.rows import Request
from sep_trader.ledger.transactions import Fill, FillCause
from sep_trader.risk.protections import Consequence, Protection
from sep_trader.states import RequestKind, TradingState
from tests.support.passes import (
    BOOKED,
    DATABASE,
    MONO,
    NOW,
    SETTINGS,
    SWITCH,
    books,
    execution,
    observation,
    signal,
    snapshot,
    trade,
)
from tests.support.transactions import part, transaction

HALTED = replace(SWITCH, state=TradingState.HALTED, reason="I look at it")


REDUCING = replace(SWITCH, state=TradingState.REDUCING, reason="enough")


BLIND = Unseen("no answer")


LATER = NOW + timedelta(minutes=31)


def acts(of: Observation, kind: type[Action] | None = None, settings: Any = SETTINGS) -> list[Any]:
    """The acts of a pass; without a kind, those that do something."""
    found = plan(of, settings)
    return [a for a in found if (isinstance(a, kind) if kind else not isinstance(a, Note | See))]


def notes(of: Observation, event: str) -> list[Note]:
    return [a for a in plan(of, SETTINGS) if isinstance(a, Note) and a.event == event]


def turned(of: Observation, settings: Any = SETTINGS) -> list[tuple[Protection, Consequence]]:
    return [(a.protection, a.consequence) for a in acts(of, TurnDown, settings)]


def remembered(**changes: Any) -> Memory:
    return Memory(**{"database_id": DATABASE, "state": TradingState.ACTIVE, **changes})


def open_trade(**changes: Any) -> Observation:
    return observation(trade(), of=books(executions=(execution(),)), **changes)


def request(kind: str = "flatten", **changes: Any) -> Request:
    given = {"pair": None, "trade_id": None, "everything": False, "requested_by": "Ada", "reason": "enough"}
    return Request(id=1, kind=RequestKind(kind), **{**given, **changes})


def closeout() -> Any:
    zero = Decimal(0)
    fill = Fill(9, None, FillCause.MARGIN_CLOSEOUT, zero, zero, zero, None, (part(31, -1000),), None,
                instrument="EUR_USD")  # fmt: skip
    return transaction(BOOKED + 1, fill)


def told(*items: Any, **changes: Any) -> Observation:
    last = items[-1].id
    return observation(
        account=Seen(snapshot(last_transaction_id=last), MONO), record=Seen(Transactions(items, last), MONO), **changes
    )


def decided(*signals: Any, **changes: Any) -> list[Any]:
    given = {"signals": signals or (signal(),)} | changes.pop("books", {})
    return acts(observation(*changes.pop("trades", ()), of=books(**given), **changes))


def code(*signals: Any, **changes: Any) -> Any:
    (refusal,) = decided(*signals, **changes)
    assert isinstance(refusal, Refuse)
    return refusal.refused.code
