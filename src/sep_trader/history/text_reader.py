"""Text files of candles, by preset and options: columns, times, units, sides."""

from pathlib import Path

import numpy as np

from sep_trader.errors import InputError
from sep_trader.history import times
from sep_trader.history.formats import Format, columns_of
from sep_trader.history.naming import pair_in
from sep_trader.history.sheet import Float, Int, Refused
from sep_trader.history.source import Parsed, ReadOptions, Source, mid_candles, quote_candles, read_text, unknown
from sep_trader.history.table import Table, delimiter_named, read_table
from sep_trader.history.zones import HINT, UTC_ZONE, Zone, zone_of_words
from sep_trader.market.candles import Candles
from sep_trader.market.instrument import standard_instrument

PRICES = ("open", "high", "low", "close")
BID = tuple(f"bid_{price}" for price in PRICES)
ASK = tuple(f"ask_{price}" for price in PRICES)
_PLAUSIBLE_SPREAD, _PLAUSIBLE_EXOTIC = 0.002, 0.02
"""Shares of the price that half of a file's spreads do not exceed; the second for pairs of few traders. Spreads in
pips are beyond them for most pairs, spreads in points for all."""
_EXOTIC = frozenset("CZK HUF MXN PLN THB TRY ZAR NOK SEK DKK HKD SGD CNH".split())


def read(source: Source, format: Format, options: ReadOptions | None = None) -> Parsed:
    """Read one file, plain or compressed. Raises InputError when the header lacks a needed column."""
    options = options or ReadOptions()
    text, width = read_text(source.path), len(format.order) or None
    table = read_table(text, delimiter_named(options.delimiter), width, name=str(source.path))
    return parse(source, table, format, options)


def parse(source: Source, table: Table, format: Format, options: ReadOptions) -> Parsed:
    """The candles of a table. Raises InputError as `read`."""
    path = source.path
    column = _columns(table, format, options, path)
    if "instrument" in column:
        _one_instrument(table, column["instrument"], source)
    contradictions: list[str] = []
    time = _times(table, column, format, options, path, contradictions)
    decimal = _decimal(table, column, options)
    scale = options.price_scale

    def prices(names: tuple[str, ...]) -> list[Float]:
        return [table.floats(column[name], name, decimal) / scale for name in names]

    volume: Int = np.zeros(len(table), np.int64)
    traded = None
    if "volume" in column and format.takes_volume:
        volume = table.whole_numbers(column["volume"], "volume")
    elif "volume" in column and format.fillers:
        traded = table.floats(column["volume"], "volume", decimal)
    if "bid_open" in column and "ask_open" in column:
        quotes = quote_candles(source, time, prices(BID), prices(ASK), volume)
        parsed = Parsed(quotes, table.lines, table.text_of, table.problems, table.refused)
    else:
        side = BID if "bid_open" in column else ASK if "ask_open" in column else PRICES
        bars = prices(side)
        spread = unknown(len(table))
        if "spread" in column:
            spread = table.floats(column["spread"], "spread", decimal, may_be_empty=True)
            spread = _spread(spread, bars[3], source, table, format, scale, contradictions)
        parsed = Parsed(
            mid_candles(source, time, bars, spread, volume), table.lines, table.text_of, table.problems, table.refused
        )
    kept, left_out = _kept(parsed, table, column, traded)
    parsed.left_out.extend(left_out)
    parsed.contradictions.extend(contradictions)
    return parsed if kept.all() else parsed.take(kept)


def _columns(table: Table, format: Format, options: ReadOptions, path: Path) -> dict[str, int]:
    try:
        column = columns_of(table.names, options.columns, format.order)
    except InputError as error:
        raise InputError(f"{path} has {error.message}", error.hint or "") from None
    if not table.names and not format.order:
        raise InputError(
            f"{path} has no header", f"name its source: --format; its first line is '{table.first_line[:60]}'"
        )
    if not table.names and len(table.columns) == len(format.order) - 1 and format.order[1] == "clock":
        column = {ours: at for at, ours in enumerate(["time", *format.order[2:]])}  # days, without a clock
    if "time" not in column and "date" in column and "clock" not in column:
        column["time"] = column.pop("date")
    sided = "bid_open" in column or "ask_open" in column
    needed: tuple[str, ...] = PRICES
    if sided and not ("open" in column and "bid_open" not in column):
        needed = (*(BID if "bid_open" in column else ()), *(ASK if "ask_open" in column else ()))
    if "time" not in column and not ("date" in column and "clock" in column):
        needed = ("time", *needed)
    if missing := [name for name in needed if name not in column]:
        header = f"its header has {', '.join(table.names)[:120]}; " if table.names else ""
        raise InputError(
            f"{path} has no column {', '.join(missing)}", f"{header}name it with --columns, like time=Date,open=O"
        )
    return column


def _times(
    table: Table, column: dict[str, int], format: Format, options: ReadOptions, path: Path, contradictions: list[str]
) -> Int:
    if "time" in column:
        values, header = table.columns[column["time"]], _header(table, column["time"])
    else:
        values = table.columns[column["date"]] + " " + table.columns[column["clock"]]
        header = _header(table, column["date"]) + " " + _header(table, column["clock"])
    if len(table) == 0:
        return np.zeros(0, np.int64)
    if values.dtype.is_temporal():
        aware = times.carries_zone(values)
        zone = None if aware else _zone(times.LOCAL, header, format, options, path, contradictions)
        found, problems = times.datetimes_to_epoch(values, zone)
        for index, problem in problems.items():
            table.problems.setdefault(index, problem)
        return found
    values = values.cast(str)
    if options.time_format:
        how = times.stated(options.time_format)
    else:
        how = times.recognise(values, f"{path}: the column '{header.strip() or 'time'}'", day_first=format.day_first)
        if how.is_number and how.pattern not in format.numbers:
            word, unit = times.unit_word(how), how.pattern
            raise InputError(f"the times of {path} look like {word} since 1970", f"give --time-format {unit}")
    zone = _zone(how, header, format, options, path, contradictions)
    found, problems = times.to_epoch(values, how, zone)
    for index, problem in problems.items():
        table.problems.setdefault(index, problem)
    return np.where(found == times.BAD, 0, found)


def zone_said(how: times.TimeFormat, header: str, format: Format) -> tuple[Zone | None, bool]:
    """The zone that a file says without a person's help, None where it says none, and whether that is beyond doubt.

    Beyond doubt are numbers since 1970 and the words of a header; what a format is known for may be otherwise.
    """
    if how.is_number:
        return (None, False) if format.server_clock else (UTC_ZONE, True)
    words = zone_of_words(header)
    if isinstance(words, Zone):
        return words, True
    return (None, False) if words == "local" else (format.timezone, False)


def _zone(
    how: times.TimeFormat, header: str, format: Format, options: ReadOptions, path: Path, contradictions: list[str]
) -> Zone | None:
    """The zone to read times in, None where each carries its offset; a person who contradicts the file must insist."""
    stated = options.timezone
    if how.zoned:
        if stated not in (None, UTC_ZONE):
            contradictions.append(f"its times carry their own offset, and --timezone says {stated}")
        return None
    said, sure = zone_said(how, header, format)
    if stated is None:
        if said is None:
            named = f" ('{header.strip()}')" if header.strip() else ""
            raise InputError(f"the times of {path}{named} name no time zone", f"give --timezone, {HINT}")
        return said
    if said is not None and sure and (said.region, said.ahead) != (stated.region, stated.ahead):
        why = (
            "its times are numbers since 1970, which count in UTC,"
            if how.is_number
            else f"its header says '{header.strip()}',"
        )
        contradictions.append(f"{why} and --timezone says {stated}")
    return UTC_ZONE if how.is_number and not format.server_clock else stated


def _header(table: Table, column: int) -> str:
    return table.names[column] if table.names else ""


def _decimal(table: Table, column: dict[str, int], options: ReadOptions) -> str | None:
    """The decimal sign: a comma where numbers are written with commas and without points."""
    if options.decimal is not None:
        if options.decimal not in (".", ","):
            raise InputError(f"not a decimal sign: '{options.decimal[:10]}'", ". or ,")
        return options.decimal
    if table.delimiter in (",", "") or len(table) == 0:
        return None
    texts = table.columns[column.get("close", column.get("bid_close", column.get("ask_close", 0)))].head(100)
    commas, points = (texts.str.contains(sign, literal=True).any() for sign in (",", "."))
    return "," if commas and not points else None


def _spread(
    spread: Float, close: Float, source: Source, table: Table, format: Format, scale: float, contradictions: list[str]
) -> Float:
    """Spreads in price units. Points are converted where the format counts in them or the header is MetaTrader's."""
    tick = float(standard_instrument(source.instrument).tick) if source.instrument else 0.0
    known = np.isfinite(spread) & np.isfinite(close) & (close > 0)
    if not known.any():
        return spread
    headers = {name.lower().strip("<>") for name in table.names}
    if format.spread_in_points or headers & {"tick_volume", "tickvol", "real_volume"}:  # MetaTrader's
        if not spread[known].any():  # 0 is what it writes where it recorded none
            return unknown(len(spread))
        if bool((spread[known] == np.rint(spread[known])).all()):
            return np.round(spread * tick, 10)
    in_price = spread / scale
    limit = _PLAUSIBLE_EXOTIC if _EXOTIC & set(source.instrument.split("_")) else _PLAUSIBLE_SPREAD
    if float(np.median(in_price[known] / close[known])) > limit:
        contradictions.append(
            f"its spreads are around {np.median(in_price[known]):g} at prices around {np.median(close[known]):g}: not "
            "price units. If they are points, leave the column out with --columns spread= and give --spread-pips when "
            "training, or use --format mt5"
        )
    return in_price


def _kept(
    parsed: Parsed, table: Table, column: dict[str, int], traded: Float | None
) -> "tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], list[Refused]]":
    """Which rows are candles, and the others with the rule that leaves them out."""
    kept = np.ones(len(table), bool)
    left_out: list[Refused] = []

    def leave(rows: "np.ndarray[tuple[int], np.dtype[np.bool_]]", reason: str) -> None:
        left_out.extend(
            Refused(int(table.lines[index]), reason, table.text_of(index))
            for index in np.flatnonzero(rows & kept).tolist()
        )
        kept[rows] = False

    if "complete" in column:
        leave(~table.truths(column["complete"], "complete").to_numpy(), "the candle is not complete")
    if traded is not None and isinstance(parsed.candles, Candles):
        c = parsed.candles
        flat = (c.open == c.high) & (c.high == c.low) & (c.low == c.close)
        leave(flat & (traded == 0.0), "flat and without volume: a filler, no price was seen")
    return kept, left_out


def _one_instrument(table: Table, column: int, source: Source) -> None:
    """Raise InputError where the column names another pair than the source's, or two pairs if the source has none."""
    wanted = source.instrument
    for text in table.columns[column].unique(maintain_order=True).to_list():
        pair = pair_in(text)
        wanted = wanted or pair or "one pair"
        if pair != wanted:
            line = int(table.lines[int((table.columns[column] == text).arg_true()[0])])
            raise InputError(
                f"{source.path} holds '{text[:40]}' in line {line}, not {wanted} only", "one series a file"
            )
