"""The nightly statement: the live day held against the broker's candles of it. Pure.

The decision quote and the fill's full price are kept with each order, so that no ticks are needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from sep_trader.market.candles import QuoteCandles
from sep_trader.market.clock import from_epoch
from sep_trader.market.instrument import Instrument
from sep_trader.research.artifact import Model
from sep_trader.research.costs import CostModel
from sep_trader.research.quoted import quoted_trades
from sep_trader.research.simulate import ExitReason
from sep_trader.signals.generate import generate
from sep_trader.signals.signal import Signal
from sep_trader.simulation.backtest import REASONS, tested_trades
from sep_trader.simulation.money import FillQuotes, LiveTrade, Split, split
from sep_trader.states import ExitReason as Left
from sep_trader.states import SignalStatus

_ONE = Decimal(1)
_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class LiveSignal:
    """A signal of the day and what became of it, as the tables have it."""

    candle_time: datetime
    side: int
    stop_distance: Decimal
    target_distance: Decimal | None
    horizon: timedelta
    status: SignalStatus
    reason_code: str | None
    units: Decimal | None
    entry_price: Decimal | None
    entry_time: datetime | None
    fill_bid: Decimal | None
    fill_ask: Decimal | None
    exit_price: Decimal | None
    exit_time: datetime | None
    exit_reason: Left | None
    exit_bid: Decimal | None
    exit_ask: Decimal | None
    order_stop: Decimal | None
    order_target: Decimal | None
    gross_pl: Decimal | None
    financing: Decimal | None
    conversion: Decimal | None
    net_pl: Decimal | None


@dataclass(frozen=True, slots=True)
class Statement:
    """What the day was. differing: what is not identical, in words, at most a few."""

    decisions: int
    decisions_identical: int
    trades: int
    identical: int
    money: Split
    differing: tuple[str, ...]

    @property
    def decided_alike(self) -> bool:
        """Whether every decision was the backtest's."""
        return self.decisions == self.decisions_identical


def state(
    quotes: QuoteCandles,
    model: Model,
    instrument: Instrument,
    live: Sequence[LiveSignal],
    *,
    first: datetime,
    after: datetime,
    balance: Decimal,
    risk_per_trade: Decimal,
    rate: Decimal = _ONE,
) -> Statement:
    """State a day.

    quotes: the broker's bid and ask candles of the day and enough before it to warm up. first, after: the span of the
    candles' beginnings that belong to the day. balance: at its beginning. rate: account currency per unit of the quote
    currency, between gain and loss.
    """
    candles = quotes.to_mid(instrument.display_precision)
    wanted = {
        one.candle_time: one
        for one in generate(candles, model, instrument, after=round(first.timestamp()) - 1)
        if one.candle_time < after
    }
    found = {one.candle_time: one for one in live}
    odd, alike = [], 0
    for candle in sorted(wanted.keys() | found.keys()):
        text = _decision(candle, wanted.get(candle), found.get(candle))
        alike += not text
        odd += [text] if text else []
    ended = [one for one in live if one.exit_time is not None]
    same = 0
    for one in ended:
        text = _trade(quotes, one)
        same += not text
        odd += [text] if text else []
    day = candles.between(0, round(after.timestamp()) + 86_400)
    tested = tested_trades(
        day, model, instrument, opening=balance, risk_per_trade=risk_per_trade, first=round(first.timestamp()),
        after=round(after.timestamp()), rate=rate,
    )  # fmt: skip
    fills = {one.candle_time: _quotes(one) for one in ended}
    known = {candle: quote for candle, quote in fills.items() if quote is not None}
    money = split([_live_trade(one, rate) for one in ended], tested, known)
    return Statement(len(wanted.keys() | found.keys()), alike, len(ended), same, money, tuple(odd[:_MOST_TOLD]))


def _decision(candle: datetime, wanted: Signal | None, found: LiveSignal | None) -> str:
    """How a decision differs; empty where it does not."""
    at = f"{candle:%Y-%m-%d %H:%M}"
    if found is None:
        return f"{at}: the model proposes a trade, and there was no signal"
    if wanted is None:
        return f"{at}: there was a signal, and the model proposes nothing on the broker's candles"
    expected = (wanted.side, wanted.stop_distance, wanted.target_distance, wanted.horizon)
    was = (found.side, found.stop_distance, found.target_distance, found.horizon)
    if expected != was:
        shown = [f"side {s}, stop {d}, target {t}, {h}" for s, d, t, h in (expected, was)]
        return f"{at}: {shown[0]} is proposed, the signal had {shown[1]}"
    return f"{at}: the signal was never decided" if found.status is SignalStatus.NEW else ""


def _trade(quotes: QuoteCandles, one: LiveSignal) -> str:
    """How a trade differs from what bid and ask say of it by itself; empty where it does not."""
    at = int(np.searchsorted(quotes.time, round(one.candle_time.timestamp())))
    step = quotes.granularity.seconds
    n = len(quotes)
    side = np.zeros(n, np.int8)
    side[min(at, n - 1)] = one.side
    stop = np.full(n, float(one.order_stop or one.stop_distance))
    target = np.full(n, float(one.order_target) if one.order_target is not None else np.inf)
    horizon = max(1, round(one.horizon.total_seconds() / step))
    free = CostModel(slippage_pips=0.0, financing_long=0.0, financing_short=0.0)
    told = quoted_trades(quotes, side, stop, target, horizon, free)
    assert one.entry_time is not None and one.exit_time is not None  # noqa: S101 - of a trade that has ended
    was = (_candle(one.entry_time, step), one.exit_reason, _candle(one.exit_time, step))
    if not told:
        return f"trade of {one.candle_time:%Y-%m-%d %H:%M}: the candles say that there is none, {was[1]} was"
    entry, leave, *_, reason = told[0]
    says = (
        from_epoch(int(quotes.time[entry])), REASONS.get(ExitReason(reason)), from_epoch(int(quotes.time[leave])),
    )  # fmt: skip
    if says == was:
        return ""
    shown = [f"in {a:%H:%M}, {b} {c:%H:%M}" for a, b, c in (says, was)]
    return f"trade of {one.candle_time:%Y-%m-%d %H:%M}: {shown[0]} by the candles, {shown[1]} was"


def _candle(moment: datetime, step: int) -> datetime:
    return from_epoch(int(moment.timestamp()) // step * step)


def _live_trade(one: LiveSignal, rate: Decimal) -> LiveTrade:
    assert one.entry_time is not None and one.exit_time is not None  # noqa: S101 - of a trade that has ended
    zero = Decimal(0)
    entry, leave = one.entry_price or zero, one.exit_price or zero
    moved = one.side * (leave - entry) * abs(one.units or zero)
    gross = one.gross_pl or zero
    known = moved and rate != 1  # the broker's rate, by what it booked; the account may be in the quote currency
    used, between = (gross / moved, (gross + (one.conversion or zero)) / moved) if known else (rate, rate)
    return LiveTrade(
        one.candle_time, one.side, one.units or zero, entry, one.entry_time, leave, one.exit_time,
        one.exit_reason or Left.MANUAL, one.order_stop or one.stop_distance, one.order_target, gross,
        one.financing or zero, one.net_pl or zero, used, between,
    )  # fmt: skip


def _quotes(one: LiveSignal) -> FillQuotes | None:
    """Bid and ask at the two fills; None where the broker did not state them."""
    if one.fill_bid is None or one.fill_ask is None or one.exit_bid is None or one.exit_ask is None:
        return None
    return FillQuotes((one.fill_bid, one.fill_ask), (one.exit_bid, one.exit_ask))
