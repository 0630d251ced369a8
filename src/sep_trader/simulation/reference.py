"""The reference of a replay: what a backtest on bid and ask says that the trader must do. Pure.

It reads the recorded quotes itself and knows nothing of orders, books or processes. Its rules are the trader's: a
signal comes a moment after its candle has ended and fills at the quote that is in force then; stop and target count
from the fill and are met by the side at which the trade is closed; the horizon is by the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from sep_trader.broker.port import AccountSummary, Price
from sep_trader.errors import InputError
from sep_trader.exchange.accounts.book import TOP_LIQUIDITY
from sep_trader.exchange.market.figures import SECOND, half_even
from sep_trader.exchange.market.recorded import RecordedQuotes
from sep_trader.exchange.market.sessions import STANDARD_HOURS
from sep_trader.exchange.market.tape import LONG_SIDE, SHORT_SIDE, aggregate, expand
from sep_trader.execution.decide import MarketView, Permission, SignalToTrade, decide, up_to_tick
from sep_trader.market.candles import QuoteCandles
from sep_trader.market.clock import from_epoch
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import Instrument
from sep_trader.risk.limits import Approved, Exposure, Marks, Reason, Refused, RiskLimits
from sep_trader.signals.signal import Signal
from sep_trader.simulation.money import FillQuotes
from sep_trader.states import ExitReason, TradingState

Ints = npt.NDArray[np.int64]
ARRIVES_NS = SECOND // 5
"""A signal comes so long after the end of its candle."""
CLOSED_NS = SECOND // 1000
"""A close is sent so long after the horizon."""
_MINUTE = 60


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """Quotes of a pair, oldest first: time (ns), bid and ask in ticks, and which trades each concerns."""

    time: Ints
    bid: Ints
    ask: Ints
    side: Ints
    candles: QuoteCandles

    def at(self, ns: int) -> int:
        """The quote that is in force at a time: the newest that was published; -1 for none."""
        found = int(np.searchsorted(self.time, ns, side="right")) - 1
        while found >= 0 and self.side[found] == SHORT_SIDE:
            found -= 1
        return found


def read_quotes(source: RecordedQuotes, pair: str, instrument: Instrument, until_ns: int) -> Quotes:
    """All recorded quotes of a pair up to a time, and the minutes that they make. Raises InputError without any."""
    parts, rows = [], []
    number = source.following(source.first_second // source.chunk_seconds - 1)
    while number is not None and number * source.chunk_seconds * SECOND <= until_ns:
        points = source.points(pair, number)
        if points is not None:
            parts.append(expand(points))
            rows.append(aggregate(points.time, points.bid, points.ask, _MINUTE))
        number = source.following(number)
    if not parts:
        raise InputError(f"no quotes of {pair} before the end of the span", "begin where the recorded quotes begin")
    time, bid, ask, side = (np.concatenate(column) for column in zip(*parts, strict=True))
    table = np.concatenate(rows)
    scale = 10.0**instrument.display_precision
    prices = (table[:, 1:9] / scale).T
    candles = QuoteCandles(pair, Granularity.M1, table[:, 0], *prices, table[:, 9])  # type: ignore[call-arg]
    return Quotes(time, bid, ask, side, candles)


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a signal: the reason's code, and what was ordered. Distances in price units, units signed.

    code: None where nobody has decided it.
    """

    candle: datetime
    side: int
    stop: Decimal
    target: Decimal | None
    horizon: timedelta
    code: Reason | None
    units: Decimal | None


@dataclass(frozen=True, slots=True)
class ReferenceTrade:
    """A trade: when its candle was, its fills by time (ns) and price, and why it ended. Prices in price units.

    entry_quote, exit_quote: bid and ask that were in force at the two fills. ambiguous: its stop and its target lie in
    one candle, and nobody knows which came first. exit_ns is None for a trade that is open at the end.
    """

    candle: datetime
    side: int
    units: Decimal
    entry_ns: int
    entry_price: Decimal
    entry_quote: tuple[Decimal, Decimal]
    exit_ns: int | None
    exit_quote: tuple[Decimal, Decimal] | None
    reason: ExitReason
    ambiguous: bool

    @property
    def quotes(self) -> FillQuotes | None:
        """The quotes at its fills; None while it is open."""
        return None if self.exit_quote is None else FillQuotes(self.entry_quote, self.exit_quote)


@dataclass(slots=True)
class Reference:
    """All decisions and trades."""

    decisions: list[Decision] = field(default_factory=list)
    trades: list[ReferenceTrade] = field(default_factory=list)


def refer(
    quotes: Quotes,
    signals: Sequence[Signal],
    instrument: Instrument,
    limits: RiskLimits,
    navs: dict[datetime, Decimal],
    until_ns: int,
) -> Reference:
    """Decide every signal, and follow every trade.

    The account is in the pair's quote currency. navs: the NAV that the trader saw at each signal's candle; sizes are
    reckoned from it.
    """
    found = Reference()
    busy: ReferenceTrade | None = None
    last_exit: datetime | None = None
    for signal in signals:
        now_ns = round(signal.candle_time.timestamp()) * SECOND + _MINUTE * SECOND + ARRIVES_NS
        if busy is not None and busy.exit_ns is not None and busy.exit_ns <= now_ns:
            last_exit, busy = from_epoch(busy.exit_ns / SECOND), None
        nav = navs.get(signal.candle_time, Decimal(0))
        decided = _decided(quotes, signal, instrument, limits, nav, now_ns, last_exit, busy is not None)
        units = decided.units if isinstance(decided, Approved) else None
        code = Reason.FILLED if isinstance(decided, Approved) else decided.code
        found.decisions.append(
            Decision(
                signal.candle_time,
                signal.side,
                signal.stop_distance,
                signal.target_distance,
                signal.horizon,
                code,
                units,
            )
        )
        if isinstance(decided, Approved):
            busy = _followed(quotes, signal, instrument, decided, now_ns, until_ns)
            found.trades.append(busy)
    return found


def _decided(
    quotes: Quotes,
    signal: Signal,
    instrument: Instrument,
    limits: RiskLimits,
    nav: Decimal,
    now_ns: int,
    last_exit: datetime | None,
    busy: bool,
) -> Approved | Refused:
    at, now = quotes.at(now_ns), from_epoch(now_ns / SECOND)
    bid, ask = _priced(quotes, at, instrument)
    open_now = STANDARD_HOURS.is_open(now_ns)
    price = Price(signal.pair, from_epoch(int(quotes.time[at]) / SECOND), bid, ask, open_now)
    end = signal.candle_time + timedelta(seconds=_MINUTE)
    exits = {} if last_exit is None else {signal.pair: last_exit}
    pairs = frozenset({signal.pair}) if busy else frozenset()
    return decide(
        SignalToTrade(
            signal.pair, signal.model_id, signal.side, signal.stop_distance, signal.target_distance, signal.expires_at,
            end, end + signal.horizon, signal.confidence,
        ),
        Permission(TradingState.ACTIVE, "", True, True, signal.model_id, "custom", False, True, False),
        MarketView(now, price, loss_factor=Decimal(1), base_factor=instrument.quantise_price((bid + ask) / 2)),
        AccountSummary("", instrument.quote, nav, nav, Decimal(0), Decimal(0), nav, 0, False, 0),
        Exposure(nav, nav, int(busy), pairs, Marks(nav, nav, nav), Decimal(0), {}, exits),
        instrument,
        limits,
    )  # fmt: skip


def _followed(
    quotes: Quotes, signal: Signal, instrument: Instrument, order: Approved, now_ns: int, until_ns: int
) -> ReferenceTrade:
    """The trade of an order, to its end."""
    tick, long = instrument.tick, signal.side > 0
    at = quotes.at(now_ns)
    fill = _filled_at(int(quotes.bid[at]), int(quotes.ask[at]), int(order.units))
    stop = fill - signal.side * _ticks(up_to_tick(signal.stop_distance, instrument), tick)
    target = None
    if signal.target_distance is not None:
        target = fill + signal.side * _ticks(up_to_tick(signal.target_distance, instrument), tick)
    horizon_ns = round((signal.candle_time + signal.horizon).timestamp() + _MINUTE) * SECOND + CLOSED_NS
    first = int(np.searchsorted(quotes.time, now_ns, side="right"))
    last = int(np.searchsorted(quotes.time, horizon_ns, side="right"))
    concerned = quotes.side[first:last] != (SHORT_SIDE if long else LONG_SIDE)
    closing = quotes.bid[first:last] if long else -quotes.ask[first:last]
    stopped = _first(concerned & (closing <= (stop if long else -stop)))
    reached = None if target is None else _first(concerned & (closing >= (target if long else -target)))
    ambiguous = _same_candle(quotes, first, stopped, reached)
    ends = min((one for one in (stopped, reached) if one is not None), default=None)
    if ends is None:
        exit_ns = horizon_ns if STANDARD_HOURS.is_open(horizon_ns) else STANDARD_HOURS.next_change(horizon_ns)
        place, reason = quotes.at(exit_ns or horizon_ns), ExitReason.HORIZON
    else:
        place = first + ends
        reason = ExitReason.STOP_LOSS if ends == stopped else ExitReason.TAKE_PROFIT
        exit_ns = int(quotes.time[place])
    over = exit_ns is None or exit_ns > until_ns
    return ReferenceTrade(
        signal.candle_time, signal.side, order.units, now_ns, fill * tick, _priced(quotes, at, instrument),
        None if over else exit_ns, None if over else _priced(quotes, place, instrument), reason, ambiguous,
    )  # fmt: skip


def _filled_at(bid: int, ask: int, units: int) -> int:
    """The price in ticks of a market order: what is beyond the best price's liquidity costs half a spread more."""
    size, step = abs(units), max(1, (ask - bid) // 2)
    best, worse = (ask, ask + step) if units > 0 else (bid, bid - step)
    top = min(size, TOP_LIQUIDITY)
    return half_even(top * best + (size - top) * worse, size)


def _first(hits: npt.NDArray[np.bool_]) -> int | None:
    return int(np.argmax(hits)) if hits.any() else None


def _same_candle(quotes: Quotes, first: int, stopped: int | None, reached: int | None) -> bool:
    """Whether stop and target were both met within one candle of a source that has no ticks."""
    if stopped is None or reached is None or not (quotes.side[first:] != 0).any():
        return False
    minute = _MINUTE * SECOND
    return int(quotes.time[first + stopped]) // minute == int(quotes.time[first + reached]) // minute


def _priced(quotes: Quotes, at: int, instrument: Instrument) -> tuple[Decimal, Decimal]:
    return int(quotes.bid[at]) * instrument.tick, int(quotes.ask[at]) * instrument.tick


def _ticks(distance: Decimal, tick: Decimal) -> int:
    return int(distance / tick)
