"""Why the trader earned what it did, and not what the candle backtest said: a sum whose parts are reckoned one by one.

Account currency, positive where the trader earned more. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sep_trader.states import ExitReason

PARTS = (
    "timing", "spread", "slippage", "stop_gap", "horizon", "trade_set", "size", "financing", "conversion", "rounding",
)  # fmt: skip
_ZERO = Decimal(0)
_FOUR = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class FillQuotes:
    """Bid and ask that were in force at a trade's two fills."""

    entry: tuple[Decimal, Decimal]
    exit: tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class LiveTrade:
    """A trade of the books that has ended. units: signed; rate: the account's currency for the quote currency, as the
    broker converted; mid_rate: the same between gain and loss."""

    candle: datetime
    side: int
    units: Decimal
    entry_price: Decimal
    entry_time: datetime
    exit_price: Decimal
    exit_time: datetime
    reason: ExitReason
    stop: Decimal
    target: Decimal | None
    gross: Decimal
    financing: Decimal
    net: Decimal
    rate: Decimal = Decimal(1)
    mid_rate: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class TestedTrade:
    """A trade of the candle backtest, per unit. units: what it would have been sized.

    entry_mid, exit_mid: the candles' own; exit_mid is None where it left at a level. slippage: what a fill is charged.
    rate: account currency per unit of the quote currency.
    """

    __test__ = False  # nothing of pytest's

    candle: datetime
    side: int
    units: Decimal
    entry_price: Decimal
    entry_mid: Decimal
    exit_price: Decimal
    exit_mid: Decimal | None
    reason: ExitReason
    stop: Decimal
    target: Decimal | None
    slippage: Decimal
    financing: Decimal
    net: Decimal
    rate: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Split:
    """The difference and its parts. residual: what the parts leave unexplained, to four decimals."""

    live: Decimal
    tested: Decimal
    parts: Mapping[str, Decimal]

    @property
    def residual(self) -> Decimal:
        """The rest."""
        rest = self.live - self.tested - sum(self.parts.values(), _ZERO)
        return rest.quantize(_FOUR) + _ZERO


def split(live: Sequence[LiveTrade], tested: Sequence[TestedTrade], fills: Mapping[datetime, FillQuotes]) -> Split:
    """Explain the difference. fills: the quotes at the fills of each live trade, by its candle."""
    parts = dict.fromkeys(PARTS, _ZERO)
    backtest = {one.candle: one for one in tested}
    matched: set[datetime] = set()
    for trade in live:
        other, quotes = backtest.get(trade.candle), fills.get(trade.candle)
        if other is None or quotes is None or other.reason is not trade.reason:
            parts["trade_set"] += trade.net
            continue
        matched.add(trade.candle)
        _explain(trade, other, quotes, parts)
    parts["trade_set"] -= sum((one.net * one.units * one.rate for one in tested if one.candle not in matched), _ZERO)
    whole = sum((one.net for one in live), _ZERO)
    return Split(whole, sum((one.net * one.units * one.rate for one in tested), _ZERO), parts)


def _explain(live: LiveTrade, tested: TestedTrade, quotes: FillQuotes, parts: dict[str, Decimal]) -> None:
    """Add the parts of one trade that both made, and left for the same reason."""
    side, size = live.side, abs(live.units)
    found = dict.fromkeys(PARTS, _ZERO)
    entry = _entry(live, tested, quotes)
    if live.reason is ExitReason.HORIZON:
        for name, amount in entry.items():
            found[name] -= amount
        _left_at_horizon(live, tested, quotes, found)
    else:
        # Stop and target count from the fill: what the entry cost more, the exit gives back.
        _left_at_level(live, tested, quotes, found)
    moved = side * (live.exit_price - live.entry_price) * size
    for name, per_unit in found.items():
        parts[name] += per_unit * size * live.mid_rate
    parts["size"] += (size - tested.units) * tested.net * tested.rate
    parts["financing"] += live.financing - tested.financing * size * live.mid_rate
    parts["conversion"] += moved * (live.rate - live.mid_rate) + size * tested.net * (live.mid_rate - tested.rate)
    parts["rounding"] += live.gross - moved * live.rate


def _entry(live: LiveTrade, tested: TestedTrade, quotes: FillQuotes) -> dict[str, Decimal]:
    """What the trader's entry cost more than the backtest's, per unit."""
    bid, ask = quotes.entry
    mid, half = (bid + ask) / 2, (ask - bid) / 2
    slipped = live.side * (live.entry_price - (ask if live.side > 0 else bid))
    charged = tested.side * (tested.entry_price - tested.entry_mid) - tested.slippage
    return {
        "timing": live.side * (mid - tested.entry_mid),
        "spread": half - charged,
        "slippage": slipped - tested.slippage,
    }


def _left_at_horizon(live: LiveTrade, tested: TestedTrade, quotes: FillQuotes, found: dict[str, Decimal]) -> None:
    mid_tested = tested.exit_mid
    assert mid_tested is not None  # noqa: S101 - of a trade that left by the clock
    bid, ask = quotes.exit
    mid, half, side = (bid + ask) / 2, (ask - bid) / 2, live.side
    slipped = side * ((bid if side > 0 else ask) - live.exit_price)
    charged = side * (mid_tested - tested.exit_price) - tested.slippage
    found["horizon"] += side * (mid - mid_tested)
    found["spread"] -= half - charged
    found["slippage"] -= slipped - tested.slippage


def _left_at_level(live: LiveTrade, tested: TestedTrade, quotes: FillQuotes, found: dict[str, Decimal]) -> None:
    side = live.side
    met = quotes.exit[0] if side > 0 else quotes.exit[1]
    if live.reason is ExitReason.STOP_LOSS:
        away, away_tested = -live.stop, -tested.stop
    else:
        away, away_tested = live.target or _ZERO, tested.target or _ZERO
    level = live.entry_price + side * away
    level_tested = tested.entry_price + side * away_tested
    beyond_tested = side * (tested.exit_price - level_tested) + tested.slippage
    found["rounding"] += away - away_tested
    found["stop_gap"] += side * (met - level) - beyond_tested
    found["slippage"] -= side * (met - live.exit_price) - tested.slippage
