"""Several runs or backtests at once: joint equity, correlation of daily results, exposure by currency."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.reports.figures import equity_of, figures_of, trades_json
from sep_trader.reports.source import Target, table_of_target
from sep_trader.research.backtest import TradeTable
from sep_trader.research.plain import plain
from sep_trader.store.database import Database

_DAY_S = 86_400
_POINTS = 400


def build(database: Database, targets: Sequence[Target]) -> dict[str, Any]:
    """Everything that the page of a portfolio states. Every target trades one unit of size, so that pips add up."""
    tables = [table_of_target(database, one) for one in targets]
    names = [f"{one.pair} {str(one.run_id)[:8]}" for one in targets]
    joint = joined(tables)
    days = calendar(joint)
    pairs = [one.pair for one, table in zip(targets, tables, strict=True) for _ in range(len(table))]
    models = [str(one.run_id)[:8] for one, table in zip(targets, tables, strict=True) for _ in range(len(table))]
    order = np.argsort(joint.exit_time, kind="stable")
    manifest = {
        "run": " ".join(str(one.run_id) for one in targets),
        "pair": "Portfolio",
        "kind": "portfolio",
        "candles": int(sum(one.begun["candles"] for one in targets)),
        "candles_from": min(one.begun["candles_from"] for one in targets),
        "candles_until": max(one.begun["candles_until"] for one in targets),
        "data_hash": [one.begun["data_hash"] for one in targets],
        "code_of_run": [one.begun["code"] for one in targets],
        "settings": {},
    }
    ordered = joint.take(order)
    told = trades_json(ordered, "EUR_USD")
    told |= {
        "pair": [pairs[at] for at in order][-len(told["side"]) :],
        "model": [models[at] for at in order][-len(told["side"]) :],
    }
    return plain(  # type: ignore[no-any-return]
        {
            "manifest": manifest,
            "verdict": None,
            **figures_of(ordered, days),
            "in_sample": None,
            "account": None,
            "folds": [],
            "sensitivity": [],
            "learned": None,
            "states": None,
            "parts": [_part(name, table) for name, table in zip(names, tables, strict=True)],
            "correlation": {"names": names, "rows": correlation_of(tables)},
            "exposure": exposure_of(joint, pairs),
            "trades": told,
            "candles": {"count": 0, "joined": 1, "digits": 5, "packed": ""},
        }
    )  # fmt: skip


def _part(name: str, table: TradeTable) -> dict[str, Any]:
    net = round(float(table.net_pips.sum()), 2)
    return {"name": name, **equity_of(table), "trades": len(table), "net_pips": net}


def joined(tables: Sequence[TradeTable]) -> TradeTable:
    """All trades, table after table."""
    return TradeTable.join(list(tables))


def calendar(table: TradeTable) -> Candles:
    """The days of trades as daily candles without prices: what figures of days and time are counted on."""
    first, last = (int(table.entry_time.min()), int(table.exit_time.max())) if len(table) else (0, 0)
    time = np.arange(first // _DAY_S, last // _DAY_S + 1, dtype=np.int64) * _DAY_S
    none = np.ones(len(time))
    return Candles("EUR_USD", Granularity.D, time, none, none, none, none, none * 0, np.zeros(len(time), np.int64))


def correlation_of(tables: Sequence[TradeTable]) -> list[list[float | None]]:
    """Correlation of daily sums over the days on which any of them left a trade; None where one never varies."""
    days = np.unique(np.concatenate([np.zeros(0, np.int64), *(one.exit_time // _DAY_S for one in tables)]))
    sums = np.zeros((len(tables), len(days)))
    for at, one in enumerate(tables):
        np.add.at(sums[at], np.searchsorted(days, one.exit_time // _DAY_S), one.net_pips)
    rows: list[list[float | None]] = []
    for first in sums:
        row: list[float | None] = []
        for second in sums:
            told = len(days) > 2 and first.std() > 0 and second.std() > 0
            row.append(round(float(np.corrcoef(first, second)[0, 1]), 4) if told else None)
        rows.append(row)
    return rows


def exposure_of(table: TradeTable, pairs: Sequence[str]) -> dict[str, Any]:
    """Trades open in each currency over time, those that hold it less those that owe it."""
    if not len(table):
        return {"time": [], "currencies": {}}
    moments = np.linspace(table.entry_time.min(), table.exit_time.max(), _POINTS).astype(np.int64)
    found: dict[str, np.ndarray[Any, Any]] = {}
    for at, pair in enumerate(pairs):
        held = (moments >= table.entry_time[at]) & (moments < np.maximum(table.exit_time[at], table.entry_time[at] + 1))
        for currency, sign in zip(pair.split("_"), (1, -1), strict=True):
            found.setdefault(currency, np.zeros(_POINTS, np.int64))
            found[currency] += held * sign * int(table.side[at])
    return {"time": moments.tolist(), "currencies": {name: one.tolist() for name, one in sorted(found.items())}}
