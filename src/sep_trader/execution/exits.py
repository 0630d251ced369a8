"""When a trade of ours is closed, and where its stop belongs. Pure.

A stop is counted from the fill. A tighter one stays, whoever put it there; a looser one, or none, is put back. Where
the market is beyond the stop already, the trade is closed.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from sep_trader.broker.port import BrokerTrade, Price
from sep_trader.execution.actions import Close, Mark, Note, Protect
from sep_trader.execution.marks import Terms, carries, comment_of, tag_of, terms_of
from sep_trader.execution.observation import Attempt
from sep_trader.execution.rows import Execution
from sep_trader.market.instrument import Instrument
from sep_trader.states import ExitReason

_LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True, slots=True)
class ExitRules:
    """Options, off by default since a backtest does not know them. In multiples of the stop distance.

    break_even_at: once the market is so far in favour, the stop moves to the entry. trailing: the stop follows the
    market at this distance. least_step: it moves by at least this share of the stop distance.
    """

    break_even_at: Decimal | None = None
    trailing: Decimal | None = None
    least_step: Decimal = Decimal("0.1")


def terms_by(execution: Execution | None, trade: BrokerTrade) -> Terms | None:
    """The terms of a trade of ours: the books', or those that are written on the trade."""
    if execution is not None and execution.stop_distance is not None:
        return Terms(execution.horizon_at or execution.horizon_end, execution.stop_distance)
    return terms_of(trade.comment)


def exit_of(
    trade: BrokerTrade,
    execution: Execution | None,
    now: datetime | None,
    price: Price | None,
    instrument: Instrument | None,
    rules: ExitRules,
) -> Close | Protect | Note | None:
    """What a trade of ours needs now; None for nothing."""
    if execution is not None and execution.late:
        return Close(trade, ExitReason.LATE, "its order had been given up, and was filled after all")
    terms = terms_by(execution, trade)
    if terms is None:
        text = f"trade {trade.trade_id} is ours by its marks, and neither they nor the books say where it ends"
        return Note("trade_without_terms", text, "error", key=f"terms {trade.trade_id}", every_s=300)
    if now is not None and terms.horizon_at <= now:
        return Close(trade, ExitReason.HORIZON, "it has reached its horizon")
    if instrument is None:
        return None
    return _stop_of(trade, terms, price, instrument, rules)


def mark_of(trade: BrokerTrade, execution: Execution | None, database_id: str | None) -> Mark | None:
    """The marks that a trade of the books does not carry at the broker; None where it carries them."""
    if execution is None or database_id is None:
        return None
    terms = terms_by(execution, trade)
    if terms is None or carries(trade, execution.client_id, database_id, terms):
        return None
    why = "it does not carry our marks: they are written on it"
    return Mark(trade, execution.client_id, tag_of(database_id), comment_of(terms), why)


def _stop_of(
    trade: BrokerTrade, terms: Terms, price: Price | None, instrument: Instrument, rules: ExitRules
) -> Close | Protect | None:
    side = 1 if trade.units > 0 else -1
    planned = _away(trade.price - side * terms.stop_distance, side, instrument)
    standing = standing_stop(trade)
    if standing is None and not trade.trailing_stop:
        if _beyond(price, planned, side):
            return Close(trade, ExitReason.STOP_PASSED, f"it had no stop, and the market is beyond {planned}")
        return Protect(trade, planned, f"it had no stop: it is put at {planned}")
    if standing is not None and side * (planned - standing) > 0:
        if _beyond(price, planned, side):
            return Close(trade, ExitReason.STOP_PASSED, f"its stop was moved to {standing}, beyond {planned}")
        return Protect(trade, planned, f"its stop was moved to {standing}: it is put back at {planned}")
    if standing is None or price is None or not price.tradeable:
        return None
    return _followed(trade, terms, standing, price, instrument, rules)


def _followed(
    trade: BrokerTrade, terms: Terms, standing: Decimal, price: Price, instrument: Instrument, rules: ExitRules
) -> Protect | None:
    """The stop that follows the market, where the owner wants that."""
    side = 1 if trade.units > 0 else -1
    market = exit_price(price, side)
    levels: list[tuple[Decimal, str]] = []
    if rules.break_even_at is not None and side * (market - trade.price) >= rules.break_even_at * terms.stop_distance:
        levels.append((trade.price, "break-even"))
    if rules.trailing is not None:
        levels.append((_away(market - side * rules.trailing * terms.stop_distance, side, instrument), "trailing"))
    if not levels:
        return None
    level, name = max(levels, key=lambda one: side * one[0])
    gained = side * (level - standing)
    if gained <= 0 or (name == "trailing" and gained < rules.least_step * terms.stop_distance):
        return None
    return Protect(trade, level, f"{name}: its stop moves from {standing} to {level}")


def standing_stop(trade: BrokerTrade) -> Decimal | None:
    """The tightest of a trade's stops: plain, guaranteed or trailing; None where none has a known price."""
    known = [p for p in (trade.stop_loss, trade.guaranteed_stop, trade.trailing_stop_price) if p is not None]
    side = 1 if trade.units > 0 else -1
    return max(known, key=lambda one: side * one, default=None)


def exit_price(price: Price, side: int) -> Decimal:
    """The price at which a trade of a side would be closed."""
    return price.bid if side > 0 else price.ask


def _beyond(price: Price | None, stop: Decimal, side: int) -> bool:
    """Whether the market is beyond a stop already; not known without a price of an open market."""
    return price is not None and price.tradeable and side * (exit_price(price, side) - stop) <= 0


def may_try(attempt: Attempt | None, mono: float, price: Price | None) -> bool:
    """Whether a close or a stop may be tried (again) now: after a pause that grows with the failures; once the market
    was closed, only when it is seen open."""
    if attempt is None:
        return True
    if attempt.closed_market:
        return price is not None and price.tradeable
    pause = min(_LONGEST_PAUSE_S, 2.0 ** (attempt.failures - 1)) if attempt.failures else 1.0
    return mono - attempt.at >= pause


def _away(price: Decimal, side: int, instrument: Instrument) -> Decimal:
    """Round a stop away from the entry, as orders are."""
    return price.quantize(instrument.tick, rounding=ROUND_FLOOR if side > 0 else ROUND_CEILING)
