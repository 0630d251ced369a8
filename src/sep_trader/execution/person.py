"""What a person does by hand: close trades directly at the broker, with or without a database.

The trader does the same when it is asked through trading_requests; this is the way when it does not answer.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sep_trader.broker.deadline import deadline
from sep_trader.broker.port import Broker, BrokerTrade, Cancelled, Filled, Outcome, Rejected, Unknown
from sep_trader.execution.codes import GONE
from sep_trader.execution.marks import Owner, owner_of

_READ_S = 10.0
_CLOSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of one trade. order_id: the order that closed it, where its answer told."""

    trade: BrokerTrade
    done: bool
    text: str
    order_id: int | None = None


def wanted(
    trades: tuple[BrokerTrade, ...],
    database_id: str | None,
    *,
    pair: str | None = None,
    trade_id: int | None = None,
    everything: bool = False,
) -> list[BrokerTrade]:
    """The trades that a request means: ours by their marks, everything: a person's own, too."""
    return [
        trade
        for trade in trades
        if (everything or owner_of(trade, database_id) is Owner.OURS)
        and pair in (None, trade.instrument)
        and trade_id in (None, trade.trade_id)
    ]


def close_by_hand(
    broker: Broker, choose: Callable[[tuple[BrokerTrade, ...]], list[BrokerTrade]], tell: Callable[[Closed], None]
) -> list[Closed]:
    """Close the chosen trades of the account, one after the other; tell of each.

    Raises BrokerError when the account cannot be read.
    """
    with deadline(_READ_S):
        trades = broker.snapshot().trades
    results = []
    for trade in choose(trades):
        with deadline(_CLOSE_S):
            closed = _result(trade, broker.close_trade(trade.trade_id))
        results.append(closed)
        tell(closed)
    return results


def _result(trade: BrokerTrade, outcome: Outcome) -> Closed:
    match outcome:
        case Filled(order_id=order_id, price=price, pl=pl):
            return Closed(trade, True, f"closed at {price}, {pl:+}", order_id)
        case Cancelled(reason=reason):
            return Closed(trade, False, f"not closed: {reason}")
        case Rejected(reason=reason, message=message):
            gone = reason in GONE
            return Closed(trade, gone, "was closed already" if gone else f"not closed: {reason} {message}".strip())
        case Unknown(cause=cause):
            return Closed(trade, False, f"no answer: {cause}; look again")
        case _:
            return Closed(trade, False, "the broker's answer says nothing of a close")
