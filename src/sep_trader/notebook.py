"""What a notebook needs, in few words: candles, metrics, backtests, sweeps, walk-forwards, verdicts, reports.

`import sep_trader as sep; sep.load, sep.resample, sep.metrics, sep.backtest, sep.sweep, sep.walk_forward, sep.verdict,
sep.report`. What they return are dataclasses of numpy columns, with `.to_pandas()`. See docs/notebook.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import SecretStr

from sep_trader.cli.options import span
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.history.frames import as_kind
from sep_trader.market.candles import Candles
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import parse_pair, standard_instrument
from sep_trader.market.resample import resample as resampled
from sep_trader.qfh.reference import METRICS
from sep_trader.research.backtest import Backtest, Set, TradeTable
from sep_trader.research.backtest import backtest as run_backtest
from sep_trader.research.costs import CostModel
from sep_trader.research.evidence import stressed
from sep_trader.research.exploring import explore, set_of
from sep_trader.research.function_grid import FunctionGrid
from sep_trader.research.grid import Grid
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.spreads import SpreadModel, filled
from sep_trader.research.strategies import RuleSeries
from sep_trader.research.training import TrainingSpec
from sep_trader.research.training_sweep import series_of
from sep_trader.research.walk_forward import WalkForwardPlan
from sep_trader.research.walk_forward import walk_forward as run_walk_forward
from sep_trader.settings import load_settings
from sep_trader.store.candles import read_or_make
from sep_trader.store.database import Database
from sep_trader.store.queries import Row, queries
from sep_trader.strategies.port import Strategy

StrategyLike = str | Strategy | Callable[..., Any] | None
"""FILE.py:NAME, a registered name, a strategy, a plain function; None for the QFH rule."""


def load(
    instrument: str,
    granularity: str = "M1",
    start: str | datetime | None = None,
    end: str | datetime | None = None,
    *,
    kind: str = "candles",
    url: str | None = None,
) -> Any:
    """Read candles with start <= time < end from the store, oldest first.

    instrument: such as EUR_USD. granularity: M1, H1, ...; lengths that are not stored are made of stored M1 candles.
    start, end: RFC 3339 texts, dates, or aware datetimes. kind: `candles` (numpy columns), `polars`, `pandas`, `arrow`;
    the columns are shared where the other library allows it. url: of the database, the settings' by default.
    An unknown spread is NaN in numpy and pandas, null in polars and Arrow.
    Raises InputError for an unknown pair, granularity, kind or time, StoreUnavailable without a database.
    """
    pair, length = parse_pair(instrument), Granularity.parse(granularity)
    begin, stop = _moment(start), _moment(end)
    with _store(url) as database:
        candles = read_or_make(database, pair, length, begin, stop)
    return as_kind(candles, kind)


def _moment(when: str | datetime | None) -> datetime | None:
    if when is None:
        return None
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise InputError(f"{when} names no time zone", "an aware datetime")
        return when
    return parse_rfc3339(f"{when}T00:00:00Z" if len(when) == 10 else when)


def resample(candles: Candles, granularity: str) -> Candles:
    """The complete candles of a larger granularity. Raises InputError for one that is not larger."""
    return resampled(candles, Granularity.parse(granularity))


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of one length by name."""

    columns: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def to_pandas(self) -> Any:
        """A pandas DataFrame; a column `time` as UTC timestamps."""
        import pandas as pd

        frame = pd.DataFrame(dict(self.columns))
        if "time" in frame:
            frame["time"] = pd.to_datetime(frame["time"], unit="s", utc=True)
        return frame

    def to_arrow(self) -> Any:
        """An Arrow table."""
        import pyarrow as pa

        return pa.table(dict(self.columns))


def metrics(candles: Candles, window: int = 32, encoder: str = "direction") -> Table:
    """The QFH metrics of each candle's window, with `time`; NaN where a window is not whole. See docs/qfh.md."""
    found = RuleSeries(candles, encoder, [window]).metrics[window]
    columns = {name: np.where(found.valid, getattr(found, name), np.nan).astype(np.float64) for name in METRICS}
    return Table({"time": candles.time, **columns, "collapse": found.collapse & found.valid})


def backtest(
    candles: Candles | str,
    strategy: StrategyLike = None,
    *,
    granularity: str = "M1",
    start: str | None = None,
    end: str | None = None,
    spread_pips: float | None = None,
    slippage_pips: float | None = None,
    financing: float | None = None,
    url: str | None = None,
    **values: Any,
) -> Backtest:
    """Trade one parameter set. candles: a pair of the store (then the look is written into the ledger), or candles.

    values: parameters of the strategy, and stop_ranges, target_ranges, horizon. Raises InputError for a name that the
    strategy does not know, and for candles without a spread where none is declared.
    """
    parameters: Set = set_of(strategy, values)
    if isinstance(candles, str):
        begin, stop = span(start, end)
        spec = TrainingSpec(
            granularity=Granularity.parse(granularity), start=begin, end=stop,
            spread=None if spread_pips is None else SpreadModel.constant(spread_pips), slippage_pips=slippage_pips,
            financing=financing,
        )  # fmt: skip
        with _store(url) as database:
            return explore(database, parse_pair(candles), parameters, spec).backtest
    whole, costs = _priced(candles, spread_pips, slippage_pips, financing)
    return run_backtest(whole, parameters, costs)


def sweep(
    candles: Candles,
    strategy: StrategyLike = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    *,
    spread_pips: float | None = None,
    slippage_pips: float | None = None,
    financing: float | None = None,
    device: str = "auto",
) -> Table:
    """Figures of every parameter set on the whole series: its parameters, trades, wins, net and gross in pips,
    expectancy_pips, sharpe, max_drawdown_pips."""
    whole, costs = _priced(candles, spread_pips, slippage_pips, financing)
    sets: list[Any] = list(_grid(strategy, grid).sets())
    found = series_of(whole, sets).sweep(sets, costs, [(0, len(whole))], device, 0)
    names = {name: [_told(one).get(name) for one in sets] for name in _told(sets[0])}
    figures = {"trades": found.trades[0], "wins": found.wins[0], "sharpe": found.sharpe[0]}
    pips = {
        "net_pips": found.net, "gross_pips": found.gross, "expectancy_pips": found.expectancy,
        "max_drawdown_pips": found.max_drawdown,
    }  # fmt: skip
    return Table({**names, **figures, **{name: one[0] / costs.pip for name, one in pips.items()}})


@dataclass(frozen=True, slots=True, eq=False)
class WalkForward:
    """Out-of-sample trades, and what was chosen in each fold (None where nothing paid its costs)."""

    trades: TradeTable
    chosen: list[dict[str, Any] | None]

    def to_pandas(self) -> Any:
        """The trades as a pandas DataFrame."""
        return self.trades.to_pandas()

    def to_arrow(self) -> Any:
        """The trades as an Arrow table."""
        return self.trades.to_arrow()


def walk_forward(
    candles: Candles,
    strategy: StrategyLike = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    *,
    spread_pips: float | None = None,
    slippage_pips: float | None = None,
    financing: float | None = None,
    fold_weeks: int | None = None,
    min_trades: int = 60,
    device: str = "auto",
) -> WalkForward:
    """Choose in each training part, trade the part after it. Nothing is recorded; `sep train` judges and records."""
    whole, costs = _priced(candles, spread_pips, slippage_pips, financing)
    plan = WalkForwardPlan(fold_weeks=fold_weeks, min_trades=min_trades)
    made = _grid(strategy, grid)
    found = run_walk_forward(whole, made, costs, stressed(costs), plan, lambda *_: None, device=device)
    return WalkForward(found.table, [None if one is None else _told(one) for one in found.chosen])


@dataclass(frozen=True, slots=True)
class Standing:
    """A pair's newest verdict and what it rests on, as `sep status --json` has it."""

    pair: str
    verdict: str | None
    reason: str | None
    reasons: list[str]
    enabled: bool
    model_id: str | None
    e_value: float | None
    threshold: float | None
    trades: int | None
    expectancy_pips: float | None


def verdict(pair: str, *, url: str | None = None) -> Standing:
    """The newest verdict on a pair. Raises InputError for one that was never trained."""
    name = parse_pair(pair)
    with _store(url) as database, database.transaction() as connection:
        rows = [row for row in queries.many(connection, "pairs", Row) if row["pair"] == name]
    if not rows:
        raise InputError(f"{name} has not been trained", f"sep train {name}")
    row = rows[0] | {"reason": rows[0]["verdict_reason"]}
    return Standing(**{one.name: row[one.name] for one in fields(Standing)})


def report(target: str, out: str | Path, *, url: str | None = None) -> Path:
    """Write the report of a run, a backtest, or the newest of a pair, as `sep report` does; returns the file."""
    from sep_trader.reports.page import page_of
    from sep_trader.reports.source import build, find_target

    with _store(url) as database:
        page = page_of(build(database, find_target(database, target)))
    path = Path(out)
    path.write_text(page, encoding="utf-8")
    return path


def _store(url: str | None) -> Any:
    settings = load_settings()
    if url is not None:
        settings = settings.model_copy(update={"database_url": SecretStr(url)})
    return open_database(settings)


def _priced(
    candles: Candles, spread_pips: float | None, slippage_pips: float | None, financing: float | None
) -> tuple[Candles, CostModel]:
    """Candles with a spread each, and the costs. Raises InputError where a spread is missing and none is declared."""
    costs = CostModel(pip=float(standard_instrument(candles.instrument).pip))
    if slippage_pips is not None:
        costs = replace(costs, slippage_pips=slippage_pips)
    if financing is not None:
        costs = replace(costs, financing_long=financing, financing_short=financing)
    if spread_pips is None and not candles.has_spread():
        raise InputError(f"candles of {candles.instrument} have no spread", "declare one: spread_pips=1.0")
    model = None if spread_pips is None else SpreadModel.constant(spread_pips)
    return filled(candles, model, costs.pip)[0], costs


def _grid(strategy: StrategyLike, grid: Mapping[str, Sequence[Any]] | None) -> Grid | FunctionGrid:
    chosen = dict(grid or {})
    exits = [tuple(one) for one in chosen.pop("exits", ())]
    if strategy is not None and strategy != "collapse":
        return FunctionGrid.of(strategy, chosen, exits)
    names = {one.name for one in fields(Grid)} - {"base"}
    if unknown := set(chosen) - names:
        raise InputError(f"collapse has no parameter '{min(unknown)}'", f"one of {', '.join(sorted(names))}")
    columns: dict[str, Any] = {name: tuple(values) for name, values in chosen.items()}
    if exits:
        columns["exits"] = tuple(exits)
    return Grid(**columns)


def _told(one: Any) -> dict[str, Any]:
    """A set's parameters by name."""
    if isinstance(one, RuleParameters):
        return {item.name: getattr(one, item.name) for item in fields(one)}
    return {
        **dict(one.values),
        "stop_ranges": one.stop_ranges,
        "target_ranges": one.target_ranges,
        "horizon": one.horizon,
    }


__all__ = [
    "Backtest", "Database", "Standing", "Table", "WalkForward", "backtest", "load", "metrics", "report", "resample",
    "sweep", "verdict", "walk_forward",
]  # fmt: skip
