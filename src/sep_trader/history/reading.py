"""From a file to judged candles, whatever its format: read, pair both sides, scale, judge each row, hold the label
against the whole."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sep_trader.errors import InputError
from sep_trader.history import lean, oanda_json, parquet, text_reader
from sep_trader.history.contradictions import contradictions_of
from sep_trader.history.formats import TEXT_FORMATS
from sep_trader.history.sheet import Refused
from sep_trader.history.source import Parsed, ReadOptions, Source, quote_candles
from sep_trader.market.candles import Candles, QuoteCandles
from sep_trader.market.instrument import Instrument, standard_instrument
from sep_trader.market.validate import refusals

NEEDED_PAIRED = 0.5
"""Two files are of the two sides of one series where at least this share of the shorter one's times is in both."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The candles of a file that can be believed, and what became of every other row.

    rows: of the file. crossed: quotes whose ask is below the bid within the limit, stored with spread 0.
    contradictions: a sentence each on what the file says against its label.
    """

    candles: Candles
    rows: int
    refused: list[Refused]
    left_out: list[Refused]
    crossed: int
    contradictions: list[str]


def parsed_file(source: Source, format: str, options: ReadOptions) -> Parsed:
    """Read a file, or the two files of both sides. Raises InputError for what is no file of the format."""
    if source.ask is None:
        return _reader(format, options)(source)
    bid = _reader(format, options)(replace(source, ask=None))
    ask = _reader(format, options)(replace(source, path=source.ask, ask=None))
    return _joined(source, bid, ask)


def judged_file(source: Source, format: str, options: ReadOptions, now: int) -> Judged:
    """Read a file and judge its rows and its label. Raises InputError for what is no file of the format."""
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers that no price is: their rows are refused
        return _judged(_oldest_first(parsed_file(source, format, options)), source, format, options, now)


def _judged(parsed: Parsed, source: Source, format: str, options: ReadOptions, now: int) -> Judged:
    rows = len(parsed.lines) + len(parsed.refused)
    if rows and len(parsed.problems) + len(parsed.refused) == rows:
        reason = parsed.refused[0].reason if parsed.refused else next(iter(parsed.problems.values()))
        raise InputError(f"no row of {source.path} reads as {format}: {reason}", "is --format right?")
    terms = standard_instrument(source.instrument)
    candles, refused, crossed = judge(parsed, now, terms, options.crossed_pips)
    label = parsed.contradictions + contradictions_of(source, _readable(parsed))
    return Judged(candles, rows + len(parsed.left_out), refused, parsed.left_out, crossed, list(dict.fromkeys(label)))


def _oldest_first(parsed: Parsed) -> Parsed:
    """The rows of a file that begins with the newest, the other way round."""
    n = len(parsed.lines)
    if n < 2 or not bool(np.all(np.diff(parsed.candles.time) < 0)):
        return parsed
    back = slice(None, None, -1)
    return replace(
        parsed,
        candles=parsed.candles.take(back),
        lines=np.asarray(parsed.lines)[back],
        text_of=lambda at: parsed.text_of(n - 1 - at),
        problems={n - 1 - at: what for at, what in parsed.problems.items()},
    )


def judge(parsed: Parsed, now: int, terms: Instrument, crossed_pips: float = 0.0) -> tuple[Candles, list[Refused], int]:
    """The mid candles of the rows that can be believed, the rows that cannot, in the file's order, and how many of the
    first have an ask below their bid, by at most `crossed_pips`."""
    precision = terms.display_precision
    reasons = dict(parsed.problems)
    readable = np.ones(len(parsed.lines), bool)
    readable[list(reasons)] = False
    position = np.flatnonzero(readable)
    limit = crossed_pips * float(terms.pip)
    candles = parsed.candles.take(readable) if reasons else parsed.candles
    for index, reason in refusals(candles, precision, now, crossed=limit).items():
        reasons[int(position[index])] = reason
    refused = [Refused(int(parsed.lines[i]), reason, parsed.text_of(i)) for i, reason in reasons.items()]
    good = np.ones(len(parsed.lines), bool)
    good[list(reasons)] = False
    kept = parsed.candles if good.all() else parsed.candles.take(good)
    crossed = int(np.count_nonzero(kept.ask_close < kept.bid_close)) if isinstance(kept, QuoteCandles) else 0
    mid = kept.to_mid(precision) if isinstance(kept, QuoteCandles) else kept.normalised(precision)
    return mid, sorted([*parsed.refused, *refused], key=lambda r: r.line), crossed


def _readable(parsed: Parsed) -> Candles:
    """The rows that read as numbers, sound or not: a label that makes each row look bad must be seen as well."""
    candles = parsed.candles
    if parsed.problems:
        readable = np.ones(len(parsed.lines), bool)
        readable[list(parsed.problems)] = False
        candles = candles.take(readable)
    if isinstance(candles, Candles):
        return candles
    c = candles
    return Candles(
        c.instrument, c.granularity, c.time, c.bid_open, c.bid_high, c.bid_low, c.bid_close, c.ask_close, c.volume
    )


def _reader(format: str, options: ReadOptions) -> Callable[[Source], Parsed]:
    if format in TEXT_FORMATS:
        return lambda source: text_reader.read(source, TEXT_FORMATS[format], options)
    if format == "parquet":
        return lambda source: parquet.read(source, options)
    _refuse_options(format, options)
    return {"lean": lean.read, "oanda-json": oanda_json.read}[format]


def _refuse_options(format: str, options: ReadOptions) -> None:
    """Raise InputError for options that a format with one meaning does not take."""
    given = [
        name
        for name, value in (
            ("--columns", options.columns), ("--timezone", options.timezone), ("--time-format", options.time_format),
            ("--delimiter", options.delimiter), ("--decimal", options.decimal),
            ("--price-scale", options.price_scale != 1.0),
        )
        if value
    ]  # fmt: skip
    if given:
        raise InputError(f"{format} says itself what {', '.join(given)} would say", f"leave out {', '.join(given)}")


def _joined(source: Source, bid: Parsed, ask: Parsed) -> Parsed:
    """Quotes of the times that both files have; a row that the other file lacks is left out, and said."""
    if isinstance(bid.candles, QuoteCandles) or isinstance(ask.candles, QuoteCandles):
        raise InputError(f"{source.path} holds both sides already", "import it alone")
    bid_time, ask_time = bid.candles.time, ask.candles.time
    common, bid_at, ask_at = np.intersect1d(bid_time, ask_time, return_indices=True)
    if len(common) < NEEDED_PAIRED * min(len(bid_time), len(ask_time)):
        raise InputError(
            f"{source.path} and {source.ask} have {len(common)} times in common, of {len(bid_time)} and "
            f"{len(ask_time)}",
            "are they the two sides of one series?",
        )
    order = np.sort(bid_at)
    ask_of = dict(zip(bid_at.tolist(), ask_at.tolist(), strict=True))
    partner = np.array([ask_of[at] for at in order.tolist()], np.int64)
    b, a = bid.candles.take(order), ask.candles.take(partner)
    quotes = quote_candles(
        source,
        b.time,
        (b.open, b.high, b.low, b.close),
        (a.open, a.high, a.low, a.close),
        np.maximum(b.volume, a.volume),
    )
    place = {int(old): new for new, old in enumerate(order.tolist())}
    problems = {place[at]: what for at, what in bid.problems.items() if at in place}
    for new, at in enumerate(partner.tolist()):
        if at in ask.problems:
            problems.setdefault(new, f"ask: {ask.problems[at]}")
    alone = np.ones(len(bid_time), bool)
    alone[order] = False
    left = [*bid.left_out, *ask.left_out]
    left += [
        Refused(int(bid.lines[at]), "the ask file has no candle of this time", bid.text_of(at))
        for at in np.flatnonzero(alone).tolist()
        if at not in bid.problems
    ]
    unread = [
        Refused(int(bid.lines[at]), what, bid.text_of(at)) for at, what in bid.problems.items() if at not in place
    ]
    other = np.ones(len(ask_time), bool)
    other[ask_at] = False
    left += [
        Refused(int(ask.lines[at]), "the bid file has no candle of this time", ask.text_of(at))
        for at in np.flatnonzero(other).tolist()
    ]
    lines = np.asarray(bid.lines)[order]
    return Parsed(
        quotes,
        lines,
        lambda at: bid.text_of(int(order[at])),
        problems,
        [*bid.refused, *ask.refused, *unread],
        left,
        [*bid.contradictions, *ask.contradictions],
    )
