"""Is live the backtest? A replay of the real trader held against the reference and against the candle backtest."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sep_trader.errors import InputError
from sep_trader.exchange.market.recorded import RecordedQuotes
from sep_trader.exchange.market.terms import offered
from sep_trader.market.clock import from_epoch
from sep_trader.risk.limits import Reason
from sep_trader.signals.generate import generate
from sep_trader.simulation.backtest import tested_trades
from sep_trader.simulation.money import LiveTrade, Split, TestedTrade, split
from sep_trader.simulation.reference import Decision, Quotes, Reference, ReferenceTrade, read_quotes, refer
from sep_trader.simulation.replay import Lived, Replay, Span, recorded, replay_limits
from sep_trader.simulation.server import temporary_database, temporary_server

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Sameness:
    """What was compared. decisions and trades are those of the reference; seconds is how long the replay took.

    refused: how many signals the trader refused, by code. differing: what is not the same, in words, at most a few.
    ambiguous: trades whose stop and target lie in one candle.
    """

    decisions: int
    decisions_identical: int
    trades: int
    identical: int
    ambiguous: int
    refused: tuple[tuple[str, int], ...]
    money: Split
    span_s: float
    seconds: float
    differing: tuple[str, ...]

    @property
    def speed(self) -> float:
        """How many times faster than it happened."""
        return self.span_s / self.seconds if self.seconds else 0.0

    @property
    def same(self) -> bool:
        """Whether everything is as it should be."""
        return self.decisions == self.decisions_identical and self.trades == self.identical and not self.money.residual


def compare(
    span: Span, *, clock: Callable[[], float], told: Callable[[datetime], None] = lambda moment: None
) -> Sameness:
    """Replay, and compare. clock: seconds, for the speed. Raises InputError for a folder without quotes of the pair."""
    source: RecordedQuotes = recorded(span.folder, span.model.pair)
    instrument = offered(span.model.pair)
    quotes = read_quotes(source, span.model.pair, instrument, round(span.end.timestamp()) * _NS)
    _hold(quotes, span)
    with temporary_server() as server, temporary_database(server) as url:
        begun = clock()
        lived = Replay(url, span, source, told).run()
        seconds = clock() - begun
    candles = quotes.candles.to_mid(instrument.display_precision)
    candles = candles.between(0, round(span.end.timestamp()) - 60)
    after = round(span.start.timestamp()) - 1
    signals = generate(candles, span.model, instrument, after=after)
    reference = refer(quotes, signals, instrument, replay_limits(), lived.navs, round(span.end.timestamp() * _NS))
    tested = tested_trades(
        candles, span.model, instrument, opening=lived.opening, risk_per_trade=replay_limits().risk_per_trade,
        first=after + 1, after=round(span.end.timestamp()),
    )  # fmt: skip
    return _judged(span, lived, reference, tested, seconds)


def _hold(quotes: Quotes, span: Span) -> None:
    """Raise InputError where nothing was quoted within the span: everything would be the same as nothing."""
    first, last = round(span.start.timestamp()), round(span.end.timestamp())
    if len(quotes.candles.between(first, last)) == 0:
        text = f"no quotes of {span.model.pair} from {span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC"
        known = [f"{from_epoch(int(quotes.candles.time[i])):%Y-%m-%d %H:%M}" for i in (0, -1)]
        raise InputError(f"{text} in {span.folder}", f"those before the end are of {known[0]} to {known[1]}")


def _judged(span: Span, lived: Lived, reference: Reference, tested: Sequence[TestedTrade], seconds: float) -> Sameness:
    live = {one.candle: one for one in lived.decisions}
    wanted = {one.candle: one for one in reference.decisions}
    differing = [_words(candle, wanted.get(candle), live.get(candle)) for candle in sorted(live.keys() | wanted.keys())]
    odd = [text for text in differing if text]
    ended = [one for one in reference.trades if one.exit_ns is not None]
    trades = {one.candle: one for one in lived.trades}
    same = 0
    for one in ended:
        text = _trade_words(one, trades.get(one.candle))
        same += not text
        odd += [text] if text else []
    refused = Counter(str(one.code) for one in lived.decisions if one.code not in (None, Reason.FILLED))
    by_candle = {one.candle: one for one in ended}
    return Sameness(
        decisions=len(live.keys() | wanted.keys()),
        decisions_identical=sum(not text for text in differing),
        trades=len(by_candle.keys() | trades.keys()),
        identical=same,
        ambiguous=sum(one.ambiguous for one in ended),
        refused=tuple(refused.most_common()),
        money=split(lived.trades, tested, {candle: one.quotes for candle, one in by_candle.items() if one.quotes}),
        span_s=(span.end - span.start).total_seconds(),
        seconds=seconds,
        differing=tuple(odd[:20]),
    )


def _words(candle: datetime, wanted: Decision | None, live: Decision | None) -> str:
    """How a decision differs; empty where it does not."""
    if wanted == live:
        return ""
    return f"{candle:%Y-%m-%d %H:%M}: the reference says {_shown(wanted)}, the trader {_shown(live)}"


def _shown(one: Decision | None) -> str:
    if one is None:
        return "nothing"
    units = "" if one.units is None else f" {one.units}"
    return f"{one.code or 'undecided'}{units} (side {one.side}, stop {one.stop}, target {one.target}, {one.horizon})"


def _trade_words(wanted: ReferenceTrade, live: LiveTrade | None) -> str:
    leaves = from_epoch((wanted.exit_ns or 0) // _NS)
    expected = (wanted.side, _minute(from_epoch(wanted.entry_ns // _NS)), wanted.reason, _minute(leaves))
    found = None if live is None else (live.side, _minute(live.entry_time), live.reason, _minute(live.exit_time))
    return "" if expected == found else f"trade of {wanted.candle:%Y-%m-%d %H:%M}: {expected} expected, {found} found"


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
