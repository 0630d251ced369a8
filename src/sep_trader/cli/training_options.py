"""The options of `train`, `train-all` and `research register`: which candles, which grid, which costs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sep_trader.cli.options import span
from sep_trader.errors import InputError
from sep_trader.market.granularity import Granularity

if TYPE_CHECKING:
    from sep_trader.research.function_grid import FunctionGrid
    from sep_trader.research.learning import LearnedGrid
    from sep_trader.research.training import TrainingSpec
    from sep_trader.research.walk_forward import AnyGrid

Timeframe = Annotated[str, typer.Option("--granularity", "-g", help="Candle length.")]
Start = Annotated[str | None, typer.Option("--from", help="Use candles from this date or time on (explores).")]
End = Annotated[str | None, typer.Option("--to", help="Use candles before this date or time.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda. auto takes a GPU where that is faster.")]
Cluster = Annotated[
    str | None, typer.Option("--cluster", help="tcp://HOST:PORT for Dask, ray://HOST:PORT for Ray; else this machine.")
]
SpreadPips = Annotated[
    float | None, typer.Option("--spread-pips", min=0.0, help="Declare the spread of candles that came without one.")
]
SpreadByHour = Annotated[
    str | None, typer.Option("--spread-by-hour", help="The same by the hour, UTC: 0-5:2.5,6-20:1.2,21-23:3.")
]
SpreadMeasured = Annotated[
    bool, typer.Option("--spread-measured", help="Measure it on the pair's own candles that have one.")
]
Slippage = Annotated[
    float | None, typer.Option("--slippage-pips", min=0.0, help="Slippage at every fill. [default: 0.2]")
]
Financing = Annotated[
    float | None,
    typer.Option(
        "--financing",
        min=-1.0,
        max=1.0,
        help="A year's share on a position, -0.02 is a charge. "
        "[default: the broker's rates where downloaded, else -0.01]",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Values to try, as NAME=V,V: window, theta_run, mode, entropy_max, stability_min, encoder (one), "
        "exits=STOP:TARGET:HORIZON, confirm=M5+M15 or none. Repeatable.",
    ),
]
StrategyName = Annotated[
    str | None,
    typer.Option(
        "--strategy", help="FILE.py:NAME, a registered name, logistic or boosting. [default: collapse, the QFH rule]"
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Train pairs that may trade, too: it may withdraw their right.")]

_NUMBERS = {"window": int, "theta_run": float, "entropy_max": float, "stability_min": float}
_NAMES = "window, theta_run, mode, entropy_max, stability_min, encoder, exits, confirm"


def grid_of(sets: list[str] | None, strategy: str | None = None) -> "AnyGrid":
    """The grid that `--set` describes; the catalogue's by default. Raises InputError that names the bad part."""
    from dataclasses import replace

    from sep_trader.research.grid import Grid

    if strategy in ("logistic", "boosting"):
        return _learned_grid(sets or [], str(strategy))
    if strategy is not None:
        return _function_grid(sets or [], strategy)
    grid = Grid()
    for text in sets or []:
        name, parts = split_set(text)
        if name not in _NAMES.split(", "):
            raise InputError(f"not a set of values: '{text[:60]}'", f"NAME=V,V of {_NAMES}")
        if name == "encoder":
            if len(parts) > 1:
                raise InputError(f"{len(parts)} encoders in one grid", "train each on its own")
            grid = replace(grid, base=replace(grid.base, encoder=parts[0]))
        else:
            values_of: dict[str, Any] = {name: tuple(_value(name, one) for one in parts)}
            grid = replace(grid, **values_of)
    grid.sets()  # Every value is checked where it is used.
    return grid


def _function_grid(sets: list[str], strategy: str) -> "FunctionGrid":
    """The grid of a strategy by path or name, with the values that `--set` gives in place of its own."""
    from sep_trader.research.function_grid import FunctionGrid

    chosen: dict[str, list[Any]] = {}
    exits: list[Any] = []
    for text in sets:
        name, parts = split_set(text)
        if name == "exits":
            exits = [_value(name, one) for one in parts]
        else:
            chosen[name] = [plain_value(one) for one in parts]
    return FunctionGrid.of(strategy, chosen, exits)


def _learned_grid(sets: list[str], kind: str) -> "LearnedGrid":
    """The grid of a model that learns: its exits and thresholds."""
    from dataclasses import replace

    from sep_trader.research.learning import LearnedGrid

    grid = LearnedGrid(kind)
    for text in sets:
        name, parts = split_set(text)
        if name not in ("exits", "thresholds"):
            raise InputError(f"{kind} has no parameter '{name}'", "exits=STOP:TARGET:HORIZON or thresholds=P,P")
        told: Any = tuple(_value(name, one) if name == "exits" else plain_value(one) for one in parts)
        grid = replace(grid, exits=told) if name == "exits" else replace(grid, thresholds=told)
    return grid


def split_set(text: str) -> tuple[str, list[str]]:
    """The name and the values of NAME=V,V. Raises InputError for anything else."""
    name, equals, values = text.partition("=")
    parts = [one.strip() for one in values.split(",") if one.strip()]
    if not equals or not parts or not name.strip():
        raise InputError(f"not a set of values: '{text[:60]}'", "NAME=V,V")
    return name.strip(), parts


def plain_value(text: str) -> int | float | str:
    """A whole number, a number, or the text itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _value(name: str, text: str) -> object:
    try:
        if name in _NUMBERS:
            return _NUMBERS[name](text)
        if name == "exits":
            stop, target, horizon = text.split(":")
            return float(stop), float(target), int(horizon)
    except ValueError:
        raise InputError(f"not a value of {name}: '{text[:40]}'", "as `sep train --help` shows") from None
    if name == "confirm":
        return () if text == "none" else tuple(text.split("+"))
    return text


def spec_of(
    granularity: str,
    start: str | None,
    end: str | None,
    device: str,
    cluster: str | None,
    spread_pips: float | None,
    spread_by_hour: str | None,
    spread_measured: bool,
    slippage_pips: float | None,
    financing: float | None,
    sets: list[str] | None,
    strategy: str | None = None,
    *,
    again: bool = True,
) -> "TrainingSpec":
    """What the options say. Raises InputError for two models of the spread, or a set that cannot be read."""
    from sep_trader.research.spreads import SpreadModel
    from sep_trader.research.training import TrainingSpec

    if (spread_pips is not None) + (spread_by_hour is not None) + spread_measured > 1:
        raise InputError("one model of the spread", "--spread-pips, --spread-by-hour or --spread-measured")
    begin, stop = span(start, end)
    spread = None
    if spread_pips is not None:
        spread = SpreadModel.constant(spread_pips)
    elif spread_by_hour is not None:
        spread = SpreadModel.parse(spread_by_hour)
    return TrainingSpec(
        granularity=Granularity.parse(granularity),
        start=begin,
        end=stop,
        grid=grid_of(sets, strategy),
        device=device,
        cluster=cluster,
        spread=spread,
        measure_spread=spread_measured,
        slippage_pips=slippage_pips,
        financing=financing,
        again=again,
    )
