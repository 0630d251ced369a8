"""Candles and QFH metrics as columns: what a chart draws, and what a program reads fast."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from sep_trader.api import models
from sep_trader.api.parts import Parts
from sep_trader.api.reads import within
from sep_trader.api.tables import CSV_TOO, AsFormat, Format
from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import parse_pair
from sep_trader.qfh.bits import encode_bits, session_starts
from sep_trader.qfh.encoder import Encoder
from sep_trader.qfh.metrics import window_metrics
from sep_trader.store import candles as store

MOST_CANDLES = 200_000
_MOST_METRICS = 20_000
_PRICES = ("open", "high", "low", "close")
_METRICS = ("coherence", "entropy", "stability", "rupture")

OfPair = Annotated[str, Query(max_length=20, description="As EUR_USD.")]
Length = Annotated[str, Query(max_length=3, description="M1, M5, H1, D, ...: longer ones are made of M1.")]
Since = Annotated[datetime | None, Query(alias="from", description="From this RFC 3339 time on.")]
Until = Annotated[datetime | None, Query(alias="to", description="Before this RFC 3339 time.")]


def chart_routes(parts: Parts) -> APIRouter:
    """The routes of charts."""
    router = APIRouter(responses=CSV_TOO)

    @router.get("/api/candles", tags=["charts"], response_model=models.CandleColumns)
    def candles(
        pair: OfPair, granularity: Length = "M1", since: Since = None, until: Until = None, form: AsFormat = Format.JSON
    ) -> Any:
        """Mid candles of a pair, as columns; without a span the newest day of M1, and longer for longer candles.

        One answer holds 200,000 candles, the newest of the span; `cut` says whether there are earlier ones.
        """
        found, cut = _read(parts, pair, granularity, since, until, MOST_CANDLES)
        columns: dict[str, Any] = {"time": found.time, **{name: getattr(found, name) for name in _PRICES}}
        # JSON knows no NaN: what was not recorded is null.
        columns |= {"spread": found.spread, "volume": found.volume}
        if form is Format.CSV:
            return Response(_csv(columns), media_type="text/csv; charset=utf-8")
        body = {"pair": parse_pair(pair), "granularity": str(Granularity.parse(granularity)), **columns, "cut": cut}
        return _json(body)

    @router.get("/api/qfh", tags=["charts"], response_model=models.QfhColumns)
    def qfh(
        pair: OfPair, granularity: Length = "M1", since: Since = None, until: Until = None,
        window: Annotated[int, Query(ge=8, le=512)] = 32,
        theta: Annotated[float, Query(ge=0, le=1)] = 0.3,
    ) -> Any:  # fmt: skip
        """QFH metrics of the windows that end at each candle of a span, of directions."""
        found, _ = _read(parts, pair, granularity, since, until, _MOST_METRICS)
        length = Granularity.parse(granularity)
        starts = session_starts(found.time, length.seconds)
        bits = encode_bits(found.open, found.close, starts, Encoder("direction"))
        made = window_metrics(bits, starts, window, theta=theta)
        columns: dict[str, Any] = {
            name: np.where(made.valid, getattr(made, name), np.nan).astype(np.float64) for name in _METRICS
        }
        collapse = [bool(c) if ok else None for c, ok in zip(made.collapse, made.valid, strict=True)]
        body = {"pair": parse_pair(pair), "granularity": str(length), "window": window, "time": found.time, **columns}
        return _json(body | {"collapse": collapse})

    return router


def _read(
    parts: Parts, pair: str, granularity: str, since: datetime | None, until: datetime | None, most: int
) -> tuple[Candles, bool]:
    """The newest candles of a span, and whether there are more."""
    name, length = parse_pair(pair), Granularity.parse(granularity)
    span = within(since, until)
    end = span["until"] or datetime.now(UTC)
    # A span that holds more than one answer may is not read whole.
    earliest = end - timedelta(seconds=most * length.seconds)
    begin = span["since"]
    if begin is None:
        with parts.database.transaction() as connection:
            newest = store.latest_or_make(connection, name, length, 1_440)
        return (newest, len(newest) == 1_440) if span["until"] is None else (_before(newest, end), False)
    if begin >= end:
        raise InputError("'to' is not after 'from'", "an earlier beginning, or a later end")
    with parts.database.transaction() as connection:
        found = store.read_or_make(connection, name, length, max(begin, earliest), end)
    return found, begin < earliest


def _before(found: Candles, end: datetime) -> Candles:
    return found.take(found.time < int(end.timestamp()))


def _json(body: dict[str, Any]) -> Response:
    whole = {name: np.ascontiguousarray(v) if isinstance(v, np.ndarray) else v for name, v in body.items()}
    return Response(orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def _csv(columns: dict[str, Any]) -> str:
    """The columns as lines; times as RFC 3339."""
    times = np.datetime_as_string(columns["time"].astype("datetime64[s]"), unit="s")
    rest = [columns[name].tolist() for name in columns if name != "time"]
    lines = [",".join(columns)]
    for at, cells in zip(times.tolist(), zip(*rest, strict=True), strict=True):
        shown = ("" if cell != cell else str(cell) for cell in cells)
        lines.append(f"{at}Z,{','.join(shown)}")
    return "\n".join(lines) + "\n"
