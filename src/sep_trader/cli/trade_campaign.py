"""`sep trade campaign`: the programs as real processes through kills, stops, cuts and full disks."""

from typing import TYPE_CHECKING, Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json

if TYPE_CHECKING:
    from sep_trader.simulation.campaigns import Campaign


def campaign(
    runs: Annotated[int, typer.Option("--runs", min=1, help="How many runs.")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The first run's seed; the others follow.")] = 1,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Runs beside each other.")] = None,
    json: Json = False,
) -> None:
    """Run trader, database and exchange as processes while things are killed, stopped, cut and filled.

    Each run trades for some seconds, is mended, and must come to rest with books that are the broker's.
    """
    from sep_trader.simulation.campaigns import campaign as live

    with render.progress_bar() as bar:
        task = bar.add_task("runs", total=runs)
        result = live(runs, seed, workers=workers, told=lambda _: bar.advance(task))
    if json:
        render.print_json(_body(result))
    else:
        _show(result)
    if result.violations:
        raise typer.Exit(1)


def _body(result: "Campaign") -> dict[str, object]:
    return {
        "runs": len(result.runs),
        "ok_runs": len(result.runs) - len(result.violations),
        "seconds": round(result.seconds, 1),
        "trades": sum(one.trades for one in result.runs),
        "faults": dict(sorted(result.faults.items())),
        "violations": [
            {
                "seed": one.seed,
                "invariant": one.violation[0] if one.violation else "",
                "text": one.violation[1] if one.violation else "",
                "faults": [{"at": at, "fault": kind} for at, kind in one.faults],
            }
            for one in result.violations
        ],
        "ok": not result.violations,
    }


def _show(result: "Campaign") -> None:
    from sep_trader.simulation.campaign import FAULTS

    trades = sum(one.trades for one in result.runs)
    ok = len(result.runs) - len(result.violations)
    render.console.print(f"{ok} of {len(result.runs)} runs ok, {trades} trades, in {result.seconds:.0f} s")
    render.print_table("What happened", ("Times>", "Meaning"), [(n, FAULTS[k]) for k, n in result.faults.most_common()])
    for one in result.violations:
        invariant, text = one.violation or ("", "")
        render.console.print(f"[red]{invariant}[/] in run {one.seed}: {text}")
        for at, kind in one.faults:
            render.console.print(f"    {at:4.1f} s  {FAULTS[kind]}", highlight=False)
