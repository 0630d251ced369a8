"""File formats: what is read, what is refused, what is no such file at all."""

import csv
import zipfile
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from sep_trader.errors import InputError
from sep_trader.history import lean, oanda_json, text_reader
from sep_trader.history.formats import TEXT_FORMATS, parse_mapping
from sep_trader.history.job import find, write_rows
from sep_trader.history.naming import pair_in
from sep_trader.history.reading import judge, parsed_file
from sep_trader.history.source import Parsed, ReadOptions, Source
from sep_trader.market.candles import Candles
from sep_trader.market.clock import format_rfc3339, from_epoch
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import standard_instrument

NOW = 1_900_000_000
M1 = Granularity.M1


def source(path: Path, text: str, granularity: Granularity = M1, pair: str = "EUR_USD") -> Source:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data.csv", text)
    else:
        path.write_text(text)
    return Source(path, pair, granularity)


def read(format: str, given: Source, options: ReadOptions | None = None) -> Parsed:
    return text_reader.read(given, TEXT_FORMATS[format], options)


def taken(parsed: Parsed) -> tuple[Candles, list[tuple[int, str]]]:
    candles, refused, _ = judge(parsed, NOW, standard_instrument(parsed.candles.instrument))
    return candles, [(r.line, r.reason) for r in refused]


def times(candles: Candles) -> list[str]:
    return [format_rfc3339(from_epoch(int(t))) for t in candles.time]


def test_lean_minutes(tmp_path: Path) -> None:
    row = "1.38676,1.38686,1.38669,1.38686,0,1.38686,1.38697,1.38680,1.38697,0"
    bad = row.replace("1.38669", "1.39")
    text = f"0,{row}\n60000,{row}\n60000,{row}\nx,{row}\n120500,{row}\n180000,1.3\n240000,{bad}\n"
    candles, refused = taken(lean.read(source(tmp_path / "20140501_quote.zip", text)))
    assert times(candles) == ["2014-05-01T00:00:00Z", "2014-05-01T00:01:00Z"]
    # (1.38686 + 1.38697) / 2 is half a tick above 1.38691: half-even gives 1.38692.
    assert candles.close[0] == 1.38692
    assert candles.spread[0] == pytest.approx(0.00011)
    assert [line for line, _ in refused] == [3, 4, 5, 6, 7]
    assert [reason for _, reason in refused] == [
        "duplicate time", "not a number: 'x'", "not milliseconds of a day: 120500", "2 fields where 11 are needed",
        "bid: low is above open or close",
    ]  # fmt: skip


def test_lean_hours_and_names(tmp_path: Path) -> None:
    path = tmp_path / "hour" / "eurusd.zip"
    given = source(path, "20070101 21:00,1.3,1.3,1.3,1.3,0,1.4,1.4,1.4,1.4,0\n", Granularity.H1)
    assert lean.sources(path, None, None) == [given]
    assert times(taken(lean.read(given))[0]) == ["2007-01-01T21:00:00Z"]
    with pytest.raises(InputError, match="is of EUR_USD, not NZD_USD"):
        lean.sources(path, "NZD_USD", None)
    with pytest.raises(InputError, match="holds H1 candles, not M1"):
        lean.sources(path, None, M1)


def test_histdata_is_five_hours_behind_all_year(tmp_path: Path) -> None:
    text = "20140701 000000;1.30000;1.30020;1.29990;1.30010;0\n20140115 235900;1.3;1.3;1.3;1.3;0\n"
    candles, refused = taken(read("histdata", source(tmp_path / "DAT_ASCII_EURUSD_M1_2014.csv", text)))
    assert times(candles) == ["2014-07-01T05:00:00Z"]
    assert refused == [(2, "time is before that of the row above")]
    [found] = find(tmp_path, "histdata", None, None).files
    assert found.source == Source(tmp_path / "DAT_ASCII_EURUSD_M1_2014.csv", "EUR_USD", M1)


HEADER = "Gmt time,Open,High,Low,Close,Volume\n"


def test_dukascopy_sides_and_flat_minutes(tmp_path: Path) -> None:
    bid = HEADER + "01.05.2014 00:00:00.000,1.3,1.3,1.3,1.3,12.5\n01.05.2014 00:01:00.000,1.3,1.3,1.3,1.3,0\n"
    given = source(tmp_path / "EURUSD_M1_BID.csv", bid)
    parsed = read("dukascopy", given)
    candles, refused = taken(parsed)
    assert (times(candles), refused, candles.has_spread()) == (["2014-05-01T00:00:00Z"], [], False)
    assert [(row.line, row.reason[:4]) for row in parsed.left_out] == [(3, "flat")]
    ask = source(tmp_path / "EURUSD_M1_ASK.csv", bid.replace("1.3,", "1.3002,")).path
    both = replace(given, ask=ask)
    candles, _ = taken(parsed_file(both, "dukascopy", ReadOptions()))
    assert candles.close.tolist() == [1.3001]
    assert candles.spread.tolist() == pytest.approx([0.0002])
    [found] = find(tmp_path, "dukascopy", None, M1).files
    assert found.source == both
    source(tmp_path / "EURUSD_M1_ASK.csv", bid.replace("01.05", "02.05"))
    with pytest.raises(InputError, match="0 times in common"):
        parsed_file(both, "dukascopy", ReadOptions())


def test_csv_with_a_mapping(tmp_path: Path) -> None:
    prices = ";1.3;1.3;1.3;1.3\n"
    text = f"Date;O;H;L;Last\n2014-05-01T00:00:00Z{prices}2014-05-01T00:01:00Z{prices}soon{prices}"
    options = ReadOptions(columns=parse_mapping("time=Date, open=O, high=H, low=L, close=Last"))
    candles, refused = taken(read("csv", source(tmp_path / "a.csv", text), options))
    assert times(candles) == ["2014-05-01T00:00:00Z", "2014-05-01T00:01:00Z"]
    assert refused == [(4, "not a time: 'soon'")]
    assert len(taken(read("csv", source(tmp_path / "a.csv", text)))[0]) == 2  # these names are known
    with pytest.raises(InputError, match="no column time, open, high, low, close"):
        read("csv", source(tmp_path / "b.csv", text.replace("Date;O;H;L;Last", "A;B;D;E;F")))
    with pytest.raises(InputError, match="not a column mapping: 'foo=bar'"):
        parse_mapping("foo=bar")


def test_oanda_json(tmp_path: Path) -> None:
    side = {"o": "1.30000", "h": "1.30010", "l": "1.29990", "c": "1.30005"}
    ask = {"o": "1.30010", "h": "1.30020", "l": "1.30000", "c": "1.30015"}
    candle = {"complete": True, "volume": 7, "time": "2014-05-01T00:00:00.000000000Z", "bid": side, "ask": ask}
    later = {**candle, "time": "1398902460.000000000"}
    items = [candle, {"complete": True}, later, {**candle, "complete": False}]
    answer = {"instrument": "EUR_USD", "granularity": "M1", "candles": items}
    given = source(tmp_path / "page.json", orjson.dumps(answer).decode())
    candles, refused = taken(oanda_json.read(given))
    assert times(candles) == ["2014-05-01T00:00:00Z", "2014-05-01T00:01:00Z"]
    assert candles.volume.tolist() == [7, 7]
    assert refused == [(2, "not a candle with bid and ask")]
    with pytest.raises(InputError, match="is of EUR_USD, not USD_JPY"):
        oanda_json.read(Source(given.path, "USD_JPY", M1))
    given.path.write_bytes(orjson.dumps(answer)[:80])
    with pytest.raises(InputError, match="is not JSON"):
        oanda_json.read(given)


def test_a_damaged_zip_is_named(tmp_path: Path) -> None:
    given = source(tmp_path / "20140501_quote.zip", "0," * 5_000)
    given.path.write_bytes(given.path.read_bytes()[:60])
    with pytest.raises(InputError, match="damaged or cut-off zip"):
        lean.read(given)
    with pytest.raises(InputError, match="no such file"):
        lean.read(Source(tmp_path / "20140502_quote.zip", "EUR_USD", M1))
    given.path.with_suffix(".csv").write_bytes(b"\x80\xfe\x00")
    with pytest.raises(InputError, match="is not text"):
        read("csv", Source(given.path.with_suffix(".csv"), "EUR_USD", M1))


def test_what_was_refused_is_listed_beside_the_file(tmp_path: Path) -> None:
    given = source(tmp_path / "a.csv", "time,open,high,low,close\n2014-05-01T00:00:00Z,1.3,1.2,1.3,1.3\n")
    _, refused, _ = judge(read("csv", given), NOW, standard_instrument("EUR_USD"))
    rejected = write_rows(given.path, "rejected", refused)
    assert rejected == tmp_path / "a.csv.rejected.csv"
    with rejected.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["line", "reason", "text"],
        ["2", "high is below open or close", "2014-05-01T00:00:00Z,1.3,1.2,1.3,1.3"],
    ]
    assert write_rows(given.path, "rejected", []) is None
    assert not rejected.exists()


@pytest.mark.parametrize(
    ("name", "pair"),
    [("DAT_ASCII_EURUSD_M1_2014", "EUR_USD"), ("usdjpy", "USD_JPY"), ("EUR_USD_M1", "EUR_USD"), ("candles", None)],
)
def test_pairs_in_names(name: str, pair: str | None) -> None:
    assert pair_in(name) == pair
