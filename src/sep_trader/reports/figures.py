"""Everything that a report states, as JSON values, from trades and candles. Pure."""

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from sep_trader.market.candles import Candles
from sep_trader.market.clock import from_epoch
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.account import Bet, booked
from sep_trader.research.backtest import TradeTable, statistics_json, statistics_of
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.strategies import RuleSeries

Float = npt.NDArray[np.float64]
MOST_TRADES = 4_000
"""So many of the newest trades are listed; every figure is of all of them."""
_POINTS = 600
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def trades_json(table: TradeTable, pair: str) -> dict[str, Any]:
    """The newest trades as columns."""
    digits = standard_instrument(pair).display_precision + 1
    part = slice(max(0, len(table) - MOST_TRADES), len(table))

    def rounded(values: Float, places: int) -> list[float | None]:
        return [None if not math.isfinite(one) else round(float(one), places) for one in values[part]]

    return {
        "all": len(table),
        "entry_time": table.entry_time[part].tolist(),
        "exit_time": table.exit_time[part].tolist(),
        "side": table.side[part].tolist(),
        "entry_price": rounded(table.entry_price, digits),
        "exit_price": rounded(table.exit_price, digits),
        "stop_price": rounded(table.stop_price, digits),
        "target_price": rounded(table.target_price, digits),
        "exit_reason": table.exit_reason[part],
        "net_pips": rounded(table.net_pips, 2),
        "r": rounded(table.r, 3),
        "mfe_pips": rounded(table.mfe_pips, 1),
        "mae_pips": rounded(table.mae_pips, 1),
    }


def figures_of(table: TradeTable, candles: Candles) -> dict[str, Any]:
    """What trades say: statistics, equity, months, hours, weekdays, reasons."""
    return {
        "statistics": statistics_json(statistics_of(table, candles)),
        "equity": equity_of(table),
        "monthly": _monthly(table),
        "by_hour": _grouped((from_epoch(int(t)).hour for t in table.entry_time), table.net_pips, range(24)),
        "by_weekday": _grouped(
            (_WEEKDAYS[from_epoch(int(t)).weekday()] for t in table.entry_time), table.net_pips, _WEEKDAYS
        ),
        "by_reason": _grouped(table.exit_reason, table.net_pips, sorted(set(table.exit_reason))),
        "by_side": _grouped(("BUY" if side > 0 else "SELL" for side in table.side), table.net_pips, ("BUY", "SELL")),
    }


def equity_of(table: TradeTable) -> dict[str, Any]:
    """The running sum of net pips and its fall below its high, at no more than some hundred exits."""
    order = np.argsort(table.exit_time, kind="stable")
    total = np.cumsum(table.net_pips[order])
    fall = total - np.maximum.accumulate(np.maximum(total, 0.0)) if len(total) else total
    at = _thinned(len(total))
    return {
        "time": table.exit_time[order][at].tolist(),
        "pips": [round(float(one), 2) for one in total[at]],
        "drawdown": [round(float(one), 2) for one in fall[at]],
    }


def account_path(bets: Sequence[Bet], until: datetime) -> dict[str, Any]:
    """What the account was worth after each booking."""
    _, bookings = booked(bets, until=until)
    at = _thinned(len(bookings))
    return {
        "time": [int(bookings[one].at.timestamp()) for one in at],
        "value": [float(f"{bookings[one].value:.4g}") for one in at],
    }


def states_of(candles: Candles, parameters: RuleParameters) -> dict[str, Any]:
    """How the windows of the QFH analysis looked over time: means of its metrics in equal parts of the series."""
    series = RuleSeries(candles, parameters.encoder, [parameters.window])
    metrics = series.metrics[parameters.window]
    ends = np.linspace(0, len(candles), min(200, max(1, len(candles) // 50)) + 1).astype(int)
    names = ("null", "rupture", "entropy", "coherence", "stability")
    found: dict[str, Any] = {"time": [int(candles.time[begin]) for begin in ends[:-1]]}
    for name in names:
        values = np.where(metrics.valid, getattr(metrics, name), np.nan).astype(np.float64)
        parts = [values[begin:end] for begin, end in itertools.pairwise(ends)]
        found[name] = [None if np.isnan(one).all() else round(float(np.nanmean(one)), 4) for one in parts]
    return found


def chart_candles(candles: Candles, most: int) -> Candles:
    """The candles of a chart: as they are, or so many joined that no more than `most` are left."""
    by = max(1, math.ceil(len(candles) / most))
    if by == 1:
        return candles
    begins = np.arange(0, len(candles), by)
    return Candles(
        instrument=candles.instrument,
        granularity=candles.granularity,
        time=candles.time[begins],
        open=candles.open[begins],
        high=np.maximum.reduceat(candles.high, begins),
        low=np.minimum.reduceat(candles.low, begins),
        close=candles.close[np.minimum(begins + by, len(candles)) - 1],
        spread=candles.spread[begins],
        volume=np.add.reduceat(candles.volume, begins),
    )


def _monthly(table: TradeTable) -> list[dict[str, Any]]:
    sums: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for time, net in zip(table.exit_time.tolist(), table.net_pips.tolist(), strict=True):
        moment = from_epoch(time)
        sums[moment.year][moment.month] += net
    return [
        {
            "year": year,
            "months": [round(months[m], 2) if m in months else None for m in range(1, 13)],
            "sum": round(sum(months.values()), 2),
        }
        for year, months in sorted(sums.items())
    ]


def _grouped(keys: Any, values: Float, names: Any) -> list[dict[str, Any]]:
    sums: dict[Any, float] = defaultdict(float)
    counts: dict[Any, int] = defaultdict(int)
    for key, value in zip(keys, values.tolist(), strict=True):
        sums[key] += value
        counts[key] += 1
    return [{"name": str(name), "trades": counts[name], "pips": round(sums[name], 2)} for name in names]


def _thinned(count: int) -> list[int]:
    """At most some hundred numbers below count, the first and the last among them."""
    return sorted({*np.linspace(0, count - 1, min(count, _POINTS)).astype(int).tolist()}) if count else []


def differences(first: Any, second: Any, path: str = "") -> list[str]:
    """Where two JSON values differ, each with its path."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        found = []
        for name in sorted({*first, *second}):
            found += differences(first.get(name), second.get(name), f"{path}.{name}" if path else str(name))
        return found
    if isinstance(first, list) and isinstance(second, list):
        if len(first) != len(second):
            return [f"{path}: {len(first)} values, then {len(second)}"]
        found = []
        for at, (one, other) in enumerate(zip(first, second, strict=True)):
            found += differences(one, other, f"{path}[{at}]")
        return found
    if isinstance(first, int | float) and isinstance(second, int | float) and not isinstance(first, bool):
        if math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-9):
            return []
        return [f"{path}: {first}, then {second}"]
    return [] if first == second else [f"{path}: {first!r}, then {second!r}"]
