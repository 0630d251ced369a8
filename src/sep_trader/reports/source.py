"""What a report is of: a training run or a backtest of the ledger, computed again from the store's candles."""

import base64
import uuid
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.clock import from_epoch
from sep_trader.market.instrument import parse_pair, standard_instrument
from sep_trader.reports.figures import (
    account_path,
    chart_candles,
    equity_of,
    figures_of,
    states_of,
    trades_json,
)
from sep_trader.research import ledger
from sep_trader.research.backtest import TradeTable, backtest
from sep_trader.research.chosen import summary_of
from sep_trader.research.evidence import stressed
from sep_trader.research.exploring import explored_again
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.plain import plain
from sep_trader.research.reading import ReadAgain, read_again
from sep_trader.research.registration import grid_from
from sep_trader.research.standing import bets_of
from sep_trader.research.walk_forward import AnyGrid, OutOfSample, WalkForwardPlan, at_costs, longest, walk_forward
from sep_trader.store.database import Database
from sep_trader.store.queries import Row, queries

MOST_CANDLES = 12_000
MULTIPLES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
"""Of the spread, at which the costs are tried."""


@dataclass(frozen=True, slots=True)
class Target:
    """A row of the ledger that a report can be of."""

    run_id: uuid.UUID
    pair: str
    kind: ledger.Kind
    begun: dict[str, Any]
    found: dict[str, Any]


def find_target(database: Database, text: str) -> Target:
    """The run or backtest of an id, or the newest of a pair. Raises InputError where there is none."""
    with database.transaction() as connection:
        chain = ledger.entries(connection)
    begun = {one.run_id: one for one in chain if one.kind is ledger.Kind.BEGUN}
    ended = [one for one in chain if one.kind in (ledger.Kind.FINISHED, ledger.Kind.EXPLORED)]
    try:
        wanted = [one for one in ended if one.run_id == uuid.UUID(text)]
    except ValueError:
        pair = parse_pair(text)
        wanted = [one for one in ended if one.pair == pair]
    if not wanted:
        raise InputError(f"the ledger knows no finished run or backtest '{text}'", "sep backtest, or sep train")
    entry = wanted[-1]
    first = entry.content if entry.kind is ledger.Kind.EXPLORED else begun[entry.run_id].content
    return Target(entry.run_id, entry.pair, entry.kind, first, entry.content)


def build(database: Database, target: Target) -> dict[str, Any]:
    """Everything that the page states, as JSON values. Raises InputError where the candles are not those of the run."""
    made = _of_run(database, target) if target.kind is ledger.Kind.FINISHED else _of_backtest(database, target)
    manifest = {
        "run": str(target.run_id),
        "pair": target.pair,
        "kind": "training" if target.kind is ledger.Kind.FINISHED else "backtest",
        **{
            name: target.begun[name]
            for name in ("granularity", "data_hash", "candles", "candles_from", "candles_until")
        },
        "code_of_run": target.begun["code"],
        "seed": target.begun.get("seed"),
        "settings": {n: target.begun[n] for n in ("grid", "plan", "costs", "parameters") if n in target.begun},
    }
    return plain({"manifest": manifest, **made})  # type: ignore[no-any-return]


def table_of_target(database: Database, target: Target) -> TradeTable:
    """The trades of a run (out of sample) or a backtest, computed again."""
    if target.kind is ledger.Kind.EXPLORED:
        return explored_again(database, target.run_id, target.pair, target.begun).backtest.trades
    _, _, found = _walked(database, target)
    return found.table


def _walked(database: Database, target: Target) -> tuple[ReadAgain, AnyGrid, OutOfSample]:
    """A training run, computed again. Raises InputError where the candles are not those of the run."""
    read = read_again(database, target.pair, target.begun)
    read.require_same()
    grid, plan = grid_from(target.begun["grid"]), WalkForwardPlan(**target.begun["plan"])
    costs = read.costs
    return read, grid, walk_forward(read.candles, grid, costs, stressed(costs), plan, lambda *_: None, device="cpu")


def _of_run(database: Database, target: Target) -> dict[str, Any]:
    read, grid, found = _walked(database, target)
    candles, costs, plan = read.candles, read.costs, WalkForwardPlan(**target.begun["plan"])
    with database.transaction() as connection:
        run = queries.only(connection, "run_of", Row, run_id=target.run_id)
    last = next((one for one in reversed(found.chosen) if one is not None), grid.base)
    whole = backtest(candles, last, costs)
    seconds = candles.granularity.seconds
    bets = bets_of(target.pair, "run", found.trades, costs, seconds)
    until = from_epoch(int(candles.time[-1]) + seconds)
    charged = [replace(costs, spread_multiplier=multiple) for multiple in MULTIPLES]
    tried = at_costs(candles, found.chosen, grid, charged, plan)
    sensitivity = [_sensitivity(m, one.net / costs.pip) for m, one in zip(MULTIPLES, tried, strict=True)]
    return {
        "verdict": {"verdict": run["verdict"], "reason": run["reason"], "table": run["evidence"].get("table", [])},
        **figures_of(found.table, candles),
        "in_sample": equity_of(whole.trades),
        "account": account_path(bets, until),
        "folds": _folds(candles, found, plan, longest(grid)),
        "sensitivity": sensitivity,
        "learned": found.learned,
        "states": states_of(candles, last) if isinstance(last, RuleParameters) else None,
        "trades": trades_json(found.table, target.pair),
        "candles": candles_json(candles),
    }


def _folds(candles: Candles, found: OutOfSample, plan: WalkForwardPlan, purge: int) -> list[dict[str, Any]]:
    """Each test part with what was chosen for it."""
    rows = []
    for chosen, (_, test) in zip(found.chosen, plan.cuts(candles, purge), strict=True):
        first, last = int(candles.time[test.start]), int(candles.time[test.stop - 1])
        inside = (found.table.entry_time >= first) & (found.table.entry_time <= last)
        rows.append(
            {
                "from": from_epoch(first).strftime("%Y-%m-%d"),
                "chosen": None if chosen is None else plain(summary_of(chosen)),
                "trades": int(inside.sum()),
                "pips": round(float(found.table.net_pips[inside].sum()), 2),
            }
        )
    return rows


def _of_backtest(database: Database, target: Target) -> dict[str, Any]:
    again = explored_again(database, target.run_id, target.pair, target.begun)
    made = again.backtest
    sensitivity = []
    for multiple in MULTIPLES:
        costs = replace(made.costs, spread_multiplier=multiple)
        net = backtest(made.candles, made.parameters, costs).trades.net_pips
        sensitivity.append(_sensitivity(multiple, net))
    rule = made.parameters if isinstance(made.parameters, RuleParameters) else None
    return {
        "verdict": None,
        **figures_of(made.trades, made.candles),
        "in_sample": None,
        "account": None,
        "folds": [],
        "sensitivity": sensitivity,
        "learned": None,
        "states": states_of(made.candles, rule) if rule is not None else None,
        "trades": trades_json(made.trades, target.pair),
        "candles": candles_json(made.candles),
    }


def _sensitivity(multiple: float, net: Any) -> dict[str, Any]:
    mean = round(float(net.mean()), 4) if len(net) else None
    return {"multiple": multiple, "trades": len(net), "pips": round(float(net.sum()), 2), "expectancy_pips": mean}


def candles_json(candles: Candles) -> dict[str, Any]:
    """The candles of the chart: starts in seconds and prices in ticks, each as differences in base64 of int32."""
    shown = chart_candles(candles, MOST_CANDLES)
    digits = standard_instrument(candles.instrument).display_precision
    ticks = [np.rint(one * 10**digits).astype(np.int64) for one in (shown.open, shown.high, shown.low, shown.close)]
    opened = ticks[0]
    columns = [
        np.diff(shown.time, prepend=0), np.diff(opened, prepend=0), *(one - opened for one in ticks[1:])
    ]  # fmt: skip
    packed = base64.b64encode(np.concatenate(columns).astype("<i4").tobytes()).decode()
    return {"count": len(shown), "joined": -(-len(candles) // max(1, len(shown))), "digits": digits, "packed": packed}
