"""A file in any format, zone and unit gives the candles it was written from, and with wrong options it is refused."""

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.candles import random_walk

from sep_trader.errors import InputError
from sep_trader.history.reading import Judged, judged_file
from sep_trader.history.source import ReadOptions, Source
from sep_trader.history.zones import parse_zone
from sep_trader.market.candles import Candles
from sep_trader.market.clock import from_epoch
from sep_trader.market.gaps import expected
from sep_trader.market.granularity import Granularity

NOW = 1_900_000_000
SUMMER, WINTER, CHANGE = 1_403_481_600, 1_389_571_200, 1_394_236_800
"""Mondays of 2014: in June, in January, and before New York puts its clock forward."""
ZONES = ("UTC", "ny+7", "+02:00", "Europe/Berlin", "Asia/Tokyo", "EST")
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def series(start: int, granularity: Granularity = Granularity.M15) -> Candles:
    """Four weeks of the market's open time."""
    found = random_walk(expected(start, start + 28 * 86_400, granularity), granularity=granularity, price=1.3)
    return replace(found, spread=np.full(len(found), np.nan))


def clock(epoch: int, zone: str) -> str:
    """What a wall clock in a zone shows, in the shape that %Y.%m.%d %H:%M:%S has."""
    when = from_epoch(epoch)
    if zone.startswith("ny"):
        local = when.astimezone(ZoneInfo("America/New_York")).replace(tzinfo=None)
        return f"{np.datetime64(local) + np.timedelta64(7, 'h')}".replace("T", " ")[:19]
    found = parse_zone(zone)
    if found.region:
        return f"{when.astimezone(ZoneInfo(found.region)):%Y-%m-%d %H:%M:%S}"
    return f"{from_epoch(epoch + found.ahead):%Y-%m-%d %H:%M:%S}"


def written(folder: Path, candles: Candles, format: str, zone: str, scale: int) -> Path:
    """The candles as a file of a format, wall clock of the zone, prices times scale."""
    digits = 5 if scale == 1 else 0
    rows = []
    for at, time in enumerate(candles.time.tolist()):
        bars = [f"{getattr(candles, name)[at] * scale:.{digits}f}" for name in ("open", "high", "low", "close")]
        text, volume = clock(time, zone), str(int(candles.volume[at]))
        date, hour = text.split(" ")
        if format == "csv":
            rows.append(",".join((text, *bars, volume)))
        elif format == "mt4":
            rows.append(",".join((date.replace("-", "."), hour[:5], *bars, volume)))
        elif format == "mt5":
            rows.append("\t".join((date.replace("-", "."), hour, *bars, volume, "0", "0")))
        elif format == "dukascopy":
            rows.append(f"{date[8:]}.{date[5:7]}.{date[:4]} {hour}.000,{','.join(bars)},{volume}.5")
        else:
            rows.append(f"{date.replace('-', '')} {hour.replace(':', '')};{';'.join(bars)};0")
    head = {
        "csv": "time,open,high,low,close,volume",
        "mt5": "\t".join(f"<{n}>" for n in "DATE TIME OPEN HIGH LOW CLOSE TICKVOL VOL SPREAD".split()),
        "dukascopy": "Local time,Open,High,Low,Close,Volume",
    }.get(format)
    path = folder / f"candles-{format}.csv"
    text = "\n".join(([head] if head else []) + rows)
    path.write_text(text, "utf-16" if format == "mt5" else "utf-8")
    return path


def read(path: Path, format: str, granularity: Granularity, zone: str | None, scale: float = 1.0) -> Judged:
    options = ReadOptions(timezone=parse_zone(zone) if zone else None, price_scale=scale)
    return judged_file(Source(path, "EUR_USD", granularity), format, options, NOW)


@SLOW
@given(
    format=st.sampled_from(["csv", "mt4", "mt5", "dukascopy", "histdata"]),
    zone=st.sampled_from(ZONES),
    start=st.sampled_from([SUMMER, WINTER, CHANGE]),
    scale=st.sampled_from([1, 100_000]),
    granularity=st.sampled_from([Granularity.M15, Granularity.H1]),
)
def test_what_was_written_is_read(
    tmp_path: Path, format: str, zone: str, start: int, scale: int, granularity: Granularity
) -> None:
    candles = series(start, granularity)
    path = written(tmp_path, candles, format, zone, scale)
    found = read(path, format, granularity, zone, scale)
    assert (found.contradictions, found.refused, found.left_out) == ([], [], [])
    for name in ("time", "open", "high", "low", "close"):
        assert np.array_equal(getattr(found.candles, name), getattr(candles, name)), name
    assert np.isnan(found.candles.spread).all()


@SLOW
@given(
    format=st.sampled_from(["csv", "mt4", "mt5", "dukascopy"]),
    zones=st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)),
    start=st.sampled_from([SUMMER, WINTER, CHANGE]),
)
def test_a_wrong_zone_is_refused(tmp_path: Path, format: str, zones: tuple[str, str], start: int) -> None:
    candles = series(start)
    right, wrong = zones
    path = written(tmp_path, candles, format, right, 1)
    found = read(path, format, Granularity.M15, wrong)
    same = np.array_equal(found.candles.time, candles.time)
    assert bool(found.contradictions) == (not same)


@pytest.mark.parametrize("format", ["csv", "mt4", "mt5", "dukascopy"])
def test_a_zone_is_asked_for(tmp_path: Path, format: str) -> None:
    path = written(tmp_path, series(SUMMER), format, "ny+7", 1)
    with pytest.raises(InputError, match="--timezone"):
        read(path, format, Granularity.M15, None)


@pytest.mark.parametrize("wrong", ["M1", "M5", "M30", "H1", "H4"])
def test_a_wrong_length_is_refused(tmp_path: Path, wrong: str) -> None:
    path = written(tmp_path, series(SUMMER), "csv", "UTC", 1)
    assert read(path, "csv", Granularity(wrong), "UTC").contradictions


@pytest.mark.parametrize(("scale", "said"), [(100_000, "--price-scale 100000"), (1_000, "--price-scale 1000")])
def test_a_wrong_scale_is_refused(tmp_path: Path, scale: int, said: str) -> None:
    candles = series(SUMMER)
    path = written(tmp_path, candles, "csv", "UTC", scale)
    [sentence] = read(path, "csv", Granularity.M15, "UTC").contradictions
    assert said in sentence


def test_another_pair_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, series(SUMMER), "csv", "UTC", 1)
    found = judged_file(Source(path, "USD_JPY", Granularity.M15), "csv", ReadOptions(timezone=parse_zone("UTC")), NOW)
    assert any("are not USD_JPY's" in sentence for sentence in found.contradictions)


def test_times_with_an_offset_need_no_zone_and_contradict_another(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    rows = [f"2014-06-23T0{hour}:00:00+02:00,1.3,1.31,1.29,1.3" for hour in range(3, 8)]
    path.write_text("\n".join(["time,open,high,low,close", *rows]))
    found = read(path, "csv", Granularity.H1, None)
    assert from_epoch(int(found.candles.time[0])).hour == 1
    assert read(path, "csv", Granularity.H1, "UTC").contradictions == []
    [sentence] = read(path, "csv", Granularity.H1, "ny+7").contradictions
    assert "carry their own offset" in sentence


@pytest.mark.parametrize(
    ("pair", "price", "spread"), [("EUR_USD", 1.1, 1.2), ("USD_JPY", 150.0, 1.2), ("EUR_USD", 1.1, 12)]
)
def test_spreads_in_pips_or_points_are_no_prices(tmp_path: Path, pair: str, price: float, spread: float) -> None:
    path = tmp_path / "candles.csv"
    rows = [f"2014-06-23T0{hour}:00:00Z,{price},{price},{price},{price},{spread}" for hour in range(3, 8)]
    path.write_text("\n".join(["time,open,high,low,close,spread", *rows]))
    found = judged_file(Source(path, pair, Granularity.H1), "csv", ReadOptions(), NOW)
    assert any("not price units" in sentence for sentence in found.contradictions)


def test_spreads_of_zero_that_were_seen_stay_zero(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    rows = [f"2014-06-23T0{hour}:00:00Z,1.3,1.3,1.3,1.3,0" for hour in range(3, 8)]
    path.write_text("\n".join(["time,open,high,low,close,spread", *rows]))
    assert read(path, "csv", Granularity.H1, None).candles.spread.tolist() == [0.0] * 5


def test_a_file_that_begins_with_the_newest_is_turned_round(tmp_path: Path) -> None:
    candles = series(SUMMER)
    path = written(tmp_path, candles, "csv", "UTC", 1)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *reversed(rows)]))
    found = read(path, "csv", Granularity.M15, "UTC")
    assert (found.refused, found.contradictions) == ([], [])
    assert np.array_equal(found.candles.close, candles.close)
