"""`sep trade simulate`: the real trader through days that go wrong in every declared way."""

import json as json_module
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sep_trader.cli import render
from sep_trader.cli.documents import read_document
from sep_trader.cli.options import Json
from sep_trader.errors import InputError, SepError

if TYPE_CHECKING:
    from sep_trader.simulation.days import Report, Violation
    from sep_trader.simulation.schedule import Schedule

_SHOWN = 12


def simulate(
    seeds: Annotated[str | None, typer.Option("--seeds", help="The days to live through, as 1-400.")] = None,
    replay: Annotated[
        Path | None,
        typer.Option("--replay", help="One day out of a file, as a violation prints it; told line by line."),
    ] = None,
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="Every way that two signals can go with up to three faults.")
    ] = False,
    faults: Annotated[int, typer.Option("--faults", min=0, max=3, help="With --exhaustive: up to so many faults.")] = 3,
    each: Annotated[int, typer.Option("--each", min=0, help="Fail unless every cell was met so often.")] = 0,
    twice: Annotated[bool, typer.Option("--twice", help="Live through all days twice, and compare them.")] = False,
    first: Annotated[
        bool, typer.Option("--first", help="Stop at the first day that fails, and do not shorten it.")
    ] = False,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; all cores unless given.")] = None,
    json: Json = False,
) -> None:
    """Run the trader, its database and the exchange through simulated days in which everything goes wrong.

    One process, one virtual clock, a real PostgreSQL. Each day is drawn from its seed: signals, faults, a crash, what
    people do. After each step invariants are judged; the same seed gives the same day to the last byte.
    """
    if replay is not None:
        _replayed(replay)
        return
    if exhaustive:
        _exhausted(faults, workers, json=json)
        return
    from sep_trader.simulation.days import simulate as live

    chosen = _seeds(seeds)
    with render.progress_bar() as bar:
        task = bar.add_task("days", total=len(chosen) * (2 if twice else 1))
        report = live(chosen, workers=workers, first=first, told=lambda days: bar.advance(task, days))
        again = live(chosen, workers=workers, told=lambda days: bar.advance(task, days)) if twice else None
    differing = [] if again is None else [s for s, trace in again.traces.items() if report.traces[s] != trace]
    ok = not report.violations and not differing and report.least_met >= each
    if json:
        render.print_json(_body(report, differing, ok=ok))
    else:
        _show(report, differing, each, twice=twice)
    if not ok:
        raise typer.Exit(1)


def _seeds(text: str | None) -> range:
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text or "")
    if found is None:
        shown = f"'{text}' is no span of days" if text else "no days are named"
        raise InputError(shown, "give --seeds 1-400")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise InputError(f"{last} comes before {first}", "give --seeds 1-400")
    return range(first, last + 1)


def _body(report: "Report", differing: list[int], *, ok: bool) -> dict[str, Any]:
    from sep_trader.simulation.cells import CELLS

    return {
        "days": report.days,
        "seconds": round(report.seconds, 3),
        "days_an_hour": round(3600 * report.days / report.seconds),
        "cells": len(CELLS),
        "cells_met": len(CELLS) - len(report.unmet),
        "least_met": report.least_met,
        "steps": report.steps,
        "passes": report.passes,
        "trades": report.trades,
        "violations": [_violation(one) for one in report.violations],
        "differing": differing,
        "trace": report.trace,
        "ok": ok,
    }


def _violation(one: "Violation") -> dict[str, Any]:
    return {
        "seed": one.seed,
        "step": one.step,
        "invariant": one.invariant,
        "text": one.text,
        "schedule": one.schedule.to_json(),
    }


def _show(report: "Report", differing: list[int], each: int, *, twice: bool) -> None:
    from sep_trader.simulation.cells import CELLS

    met = len(CELLS) - len(report.unmet)
    rate = 3600 * report.days / report.seconds
    render.console.print(
        f"{report.days} days in {report.seconds:.1f} s ({rate:,.0f} an hour): {report.steps:,} steps,"
        f" {report.passes:,} passes, {report.trades:,} trades"
    )
    rarest = f", the rarest {report.least_met} times" if report.least_met else ""
    render.console.print(f"{met} of {len(CELLS)} cells met{rarest}")
    if twice:
        again = f"differ: {differing[:_SHOWN]}" if differing else "are the same to the last byte"
        render.console.print(f"lived through twice, the days {again}")
    if report.least_met < each:
        rare = [f"{c.step}/{c.fault}" for c in CELLS if report.met[c] < each]
        render.console.print(f"[red]met less than {each} times:[/] {', '.join(rare[:_SHOWN])}")
    if not report.violations:
        render.console.print("[green]no invariant was violated[/]")
    for one in report.violations[:_SHOWN]:
        render.console.print(f"[red]{one.invariant}[/] on day {one.seed}, step {one.step}: {one.text}")
        _show_schedule(one.schedule)
        path = Path(f"violation-{one.seed}.json")
        path.write_text(json_module.dumps(one.schedule.to_json(), indent=1))
        render.console.print(f"  sep trade simulate --replay {path}")


def _show_schedule(schedule: "Schedule") -> None:
    from sep_trader.simulation.cells import explained

    lines = [
        (s.at, f"{s.pair} {'BUY' if s.side > 0 else 'SELL'}, stop {s.stop_pips} pips, {s.horizon_minutes} minutes")
        for s in schedule.signals
    ]
    for planned in (*schedule.faults, *schedule.acts):
        lasting = f", for {planned.seconds:.1f} s" if planned.seconds else ""
        lines.append((planned.at, f"{planned.cell.step}: {explained(planned.cell)}{lasting}"))
    for at, text in sorted(lines):
        clock = f"{int(at // 3600):02d}:{int(at % 3600 // 60):02d}:{at % 60:04.1f}"
        render.console.print(f"    {clock}  {text}", highlight=False)


def _exhausted(faults: int, workers: int | None, *, json: bool) -> None:
    from sep_trader.simulation.exhaustive import exhaust

    with render.progress_bar() as bar:
        task = bar.add_task("transitions", total=None)
        result = exhaust(
            most_faults=faults, workers=workers, told=lambda states, transitions: bar.advance(task, transitions)
        )
    found = result.found
    violations = [
        {"invariant": one.invariant, "text": one.text, "path": [{"at": at, "faults": what} for at, what in one.path]}
        for one in found.violations
    ]
    if json:
        render.print_json(
            {
                "faults": faults,
                "seconds": round(result.seconds, 3),
                "states": found.states,
                "transitions": found.transitions,
                "ends": found.ends,
                "violations": violations,
                "ok": not violations,
            }
        )
    else:
        render.console.print(
            f"two signals, up to {faults} faults: {found.states:,} states, {found.transitions:,} transitions,"
            f" {found.ends:,} ends, in {result.seconds:.0f} s"
        )
        for one in found.violations[:_SHOWN]:
            render.console.print(f"[red]{one.invariant}[/]: {one.text}")
            for at, what in one.path:
                render.console.print(f"    at {at:.1f} s  {', '.join(what)}", highlight=False)
        if not violations:
            render.console.print("[green]no invariant was violated[/]")
    if violations:
        raise typer.Exit(1)


def _replayed(path: Path) -> None:
    """Tell a day line by line."""
    from sep_trader.simulation.days import replay
    from sep_trader.simulation.schedule import Schedule

    hint = "sep trade simulate writes one for each violation"
    schedule = read_document(path, "simulated day", Schedule.from_json, hint)
    day, lines = replay(schedule)
    for line in lines:
        typer.echo(line)
    if day.violation is not None:
        invariant, step, text = day.violation
        raise SepError(f"{invariant} at step {step}: {text}")
