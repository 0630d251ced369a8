"""`sep trade replay`: the real trader on recorded quotes, held against the backtest."""

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.documents import read_document
from sep_trader.cli.options import Json
from sep_trader.errors import InputError
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import parse_pair
from sep_trader.settings import load_settings

if TYPE_CHECKING:
    from sep_trader.research.artifact import Model
    from sep_trader.simulation.sameness import Sameness


def replay(
    pair: Annotated[str, typer.Option("--pair", help="The pair, as EUR_USD.")],
    begin: Annotated[str, typer.Option("--from", help="Where it begins, as 2014-05-14T06:00:00Z.")],
    end: Annotated[str, typer.Option("--to", help="Where it ends.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of recorded quotes in the Lean layout; SEP_TEST_DATA if not given."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="A model's file; the first design of the catalogue if not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Let the real trader trade recorded quotes, and compare it with the backtest: decisions, trades, money.

    Ticks where the folder has them, else one-minute candles of bid and ask. Nothing of your own database is touched.
    """
    from sep_trader.simulation.replay import Span
    from sep_trader.simulation.sameness import compare

    name = parse_pair(pair)
    folder = data or load_settings().test_data
    span = Span(folder, _model(name, model), parse_rfc3339(begin), parse_rfc3339(end))
    if span.end <= span.start:
        raise InputError(f"--to {end} is not after --from {begin}", "an earlier beginning, or a later end")
    with render.progress_bar() as bar:
        task = bar.add_task("minutes", total=round((span.end - span.start).total_seconds() / 60))

        def told(moment: datetime) -> None:
            bar.update(task, completed=round((moment - span.start).total_seconds() / 60))

        result = compare(span, clock=time.monotonic, told=told)
    if json:
        render.print_json(_body(result))
    else:
        _show(result)
    if not result.same:
        raise typer.Exit(1)


def _model(pair: str, path: Path | None) -> "Model":
    from sep_trader.research.artifact import Model
    from sep_trader.research.grid import Grid

    if path is None:
        return Model(pair, Granularity.M1, Grid().sets()[0], "0" * 64)
    found = read_document(path, "model", Model.from_json, "the column artifact of the table models holds one")
    if found.pair != pair or found.granularity is not Granularity.M1:
        raise InputError(f"{path} is a model of {found.pair} {found.granularity}, not of {pair} M1")
    return found


def _body(result: "Sameness") -> dict[str, object]:
    return {
        "decisions": result.decisions,
        "decisions_identical": result.decisions_identical,
        "trades": result.trades,
        "identical": result.identical,
        "ambiguous": result.ambiguous,
        "refused": dict(result.refused),
        "live": f"{result.money.live:.4f}",
        "backtest": f"{result.money.tested:.4f}",
        "parts": {name: f"{amount:.4f}" for name, amount in result.money.parts.items()},
        "residual": f"{result.money.residual:.4f}",
        "speed": round(result.speed),
        "seconds": round(result.seconds, 3),
        "differing": list(result.differing),
        "ok": result.same,
    }


def _show(result: "Sameness") -> None:
    render.console.print(
        f"decisions: {result.decisions_identical} of {result.decisions} identical;"
        f" trades: {result.identical} of {result.trades} identical, {result.ambiguous} ambiguous candles"
    )
    if result.refused:
        codes = ", ".join(f"{code} {count:,}" for code, count in result.refused)
        render.console.print(f"refused: {codes}", highlight=False)
    parts = {name: amount for name, amount in result.money.parts.items() if round(amount, 2)}
    rows = [(name.replace("_", " "), f"{amount:,.2f}") for name, amount in parts.items()]
    backtest, live = f"{result.money.tested:,.2f}", f"{result.money.live:,.2f}"
    rows = [("the candle backtest", backtest), *rows, ("the trader", live)]
    render.print_table("In money", ("Part", "Amount>"), rows)
    render.console.print(f"residual {result.money.residual:.4f}; {result.speed:,.0f} times real time")
    for text in result.differing:
        render.console.print(f"[red]differs[/] {text}")
