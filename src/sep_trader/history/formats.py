"""The presets: what a source of candle files is known to write. What a header says goes before what a preset says."""

from dataclasses import dataclass, field

from sep_trader.errors import InputError
from sep_trader.history.naming import Side
from sep_trader.history.zones import EST_ALL_YEAR, UTC_ZONE, Zone


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of text file.

    order: our names of the columns of a file without a header. timezone: of times that carry none, None where a person
    must say it. day_first: what 03/04/2020 means. numbers: units of times that are numbers. side: of the prices.
    spread_in_points: the spread counts the last digit of a price. fillers: flat rows with volume 0 are no candles.
    takes_volume: the volume counts prices.
    server_clock: numbers since 1970 count the server's clock, not UTC.
    """

    name: str
    about: str
    order: tuple[str, ...] = ()
    timezone: Zone | None = None
    day_first: bool | None = None
    numbers: tuple[str, ...] = ("s",)
    side: Side = "mid"
    spread_in_points: bool = False
    server_clock: bool = False
    fillers: bool = False
    takes_volume: bool = True
    names: dict[str, str] = field(default_factory=dict)
    """Headers that this source uses in a meaning of its own."""


_BARS = ("open", "high", "low", "close")
TEXT_FORMATS = {
    one.name: one
    for one in (
        Format("csv", "a header with names that are recognised, or given by --columns"),
        Format(
            "mt4", "MetaTrader 4's history export, without a header", ("date", "clock", *_BARS, "volume"), side="bid",
        ),
        Format(
            "mt5", "MetaTrader 5: the terminal's export, or its rates table", ("date", "clock", *_BARS, "volume"),
            side="bid", spread_in_points=True, server_clock=True,
        ),
        Format("fxcm", "FXCM's candle files: bid and ask in one file or in two, UTC",
               timezone=UTC_ZONE, day_first=False, side="bid"),
        Format(
            "histdata", "HistData's M1 ASCII files: EST all year, bid", ("time", *_BARS, "volume"),
            timezone=EST_ALL_YEAR, side="bid", takes_volume=False,
        ),
        Format(
            "dukascopy", "Dukascopy's web export and dukascopy-node's files, one side a file",
            ("time", *_BARS, "volume"), day_first=True, numbers=("s", "ms"), side="bid", fillers=True,
            takes_volume=False,
        ),
        Format("tradingview", "TradingView's chart export"),
    )
}  # fmt: skip
OTHER_FORMATS = {
    "lean": "Lean's zips, or a folder of them: bid and ask, UTC",
    "oanda-json": "saved answers of OANDA's candles endpoint",
    "parquet": "a Parquet file with the columns of csv",
}
AUTO = "auto"
FORMATS = (AUTO, *TEXT_FORMATS, *OTHER_FORMATS)


def format_named(name: str) -> str:
    """The format of a name. Raises InputError that lists them."""
    if name not in FORMATS:
        raise InputError(f"unknown format '{name}'", f"one of {', '.join(FORMATS)}")
    return name


# Our names, and the spellings (letters and digits only, in lower case) by which headers call them.
_SPELLINGS = {
    "time": "time timestamp datetime dateandtime opentime utctime utc gmt datetimeutc",
    "date": "date day dtyyyymmdd",
    "open": "open o openprice",
    "high": "high h highprice max",
    "low": "low l lowprice min",
    "close": "close c closeprice last",
    "bid_open": "bidopen openbid bido",
    "bid_high": "bidhigh highbid bidh",
    "bid_low": "bidlow lowbid bidl",
    "bid_close": "bidclose closebid bidc",
    "ask_open": "askopen openask asko",
    "ask_high": "askhigh highask askh",
    "ask_low": "asklow lowask askl",
    "ask_close": "askclose closeask askc",
    "spread": "spread",
    "volume": "volume vol tickvolume tickvol ticks totalticks tickqty",
    "complete": "complete iscomplete closed",
    "instrument": "instrument pair symbol ticker",
}
SPELLINGS = {spelling: ours for ours, words in _SPELLINGS.items() for spelling in words.split()}
KNOWN = ("time", "date", "clock", *[name for name in _SPELLINGS if name not in ("time", "date")])


def parse_mapping(text: str) -> dict[str, str]:
    """Read `time=Date,open=O`: our column name, then the file's; `volume=` leaves a column out.

    Raises InputError that names the bad part.
    """
    mapping = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        ours, equals, theirs = part.partition("=")
        if not equals or ours.strip() not in KNOWN:
            raise InputError(f"not a column mapping: '{part[:40]}'", f"like time=Date, with one of {', '.join(KNOWN)}")
        mapping[ours.strip()] = theirs.strip()
    return mapping


def plain(name: str) -> str:
    """A header's name without case, brackets, spaces and dots."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def columns_of(names: list[str], mapping: dict[str, str], order: tuple[str, ...]) -> dict[str, int]:
    """Our name to the place of the column, from a header, what a person mapped, and a preset's order without a header.

    Raises InputError for a mapped column that is not there.
    """
    if not names:
        return {ours: at for at, ours in enumerate(order)}
    folded = [plain(name) for name in names]
    found: dict[str, int] = {}
    taken = {plain(theirs) for theirs in mapping.values() if theirs}
    for ours, theirs in mapping.items():
        if not theirs:
            continue
        if plain(theirs) not in folded:
            raise InputError(f"no column '{theirs}'", f"the header has {', '.join(names)[:200]}")
        found[ours] = folded.index(plain(theirs))
    for at, name in enumerate(folded):
        known = SPELLINGS.get(name)
        if known is None and name.startswith(("time", "gmttime", "localtime")):
            known = "time"  # Time (EET), Local time GMT+2
        if known is None or name in taken or known in mapping:
            continue
        # MetaTrader's <VOL> beside a tick volume is that of a stock exchange.
        if name == "vol" and {"volume", "tickvolume", "tickvol"} & set(folded):
            continue
        found.setdefault(known, at)
    if "date" in found and "time" in found and "time" not in mapping:  # two columns: the day and its clock
        found["clock"] = found.pop("time")
    elif "date" in found and "time" not in found and "clock" not in found:
        found["time"] = found.pop("date")
    return found
