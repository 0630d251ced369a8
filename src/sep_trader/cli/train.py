"""The daily workflow: train, train-all, generate_signals, enable, disable. `train_manager.py` runs the same."""

import getpass
import sys
import threading
import time
from typing import TYPE_CHECKING, Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import By, Json, PairName, Why, known_pairs
from sep_trader.cli.training_options import (
    Cluster,
    Device,
    End,
    Financing,
    Sets,
    Slippage,
    SpreadByHour,
    SpreadMeasured,
    SpreadPips,
    Start,
    StrategyName,
    Timeframe,
    Yes,
    spec_of,
)
from sep_trader.cli.wiring import open_broker, open_database
from sep_trader.errors import InputError, NotAllowed, SepError
from sep_trader.market.instrument import parse_pair
from sep_trader.settings import OandaEnvironment, load_settings
from sep_trader.store.database import Connection, Database

if TYPE_CHECKING:
    from collections.abc import Callable

    from sep_trader.research.artifact import Model
    from sep_trader.research.training import TrainingSpec
    from sep_trader.signals.job import Follower, Generated

SIGN_OF_LIFE_S = 5.0

app = typer.Typer()


@app.command()
def train(
    pair: PairName,
    granularity: Timeframe = "M1",
    start: Start = None,
    end: End = None,
    device: Device = "auto",
    cluster: Cluster = None,
    spread_pips: SpreadPips = None,
    spread_by_hour: SpreadByHour = None,
    spread_measured: SpreadMeasured = False,
    slippage_pips: Slippage = None,
    financing: Financing = None,
    strategy: StrategyName = None,
    sets: Sets = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Train and judge one pair on its candles in the store."""
    stated = (spread_pips, spread_by_hour, spread_measured, slippage_pips, financing, sets, strategy)
    _train([parse_pair(pair)], spec_of(granularity, start, end, device, cluster, *stated), yes, json)


@app.command("train-all")
def train_all(
    granularity: Timeframe = "M1",
    start: Start = None,
    end: End = None,
    device: Device = "auto",
    cluster: Cluster = None,
    spread_pips: SpreadPips = None,
    spread_by_hour: SpreadByHour = None,
    spread_measured: SpreadMeasured = False,
    slippage_pips: Slippage = None,
    financing: Financing = None,
    strategy: StrategyName = None,
    sets: Sets = None,
    yes: Yes = False,
    again: Annotated[
        bool, typer.Option("--again", help="Train those, too, whose newest training was the same on the same candles.")
    ] = False,
    json: Json = False,
) -> None:
    """Train and judge every pair that has candles. No verdict depends on which others are trained.

    A run that was broken off goes on where it was: a pair that is finished is not trained twice.
    """
    from sep_trader.store import candles

    stated = (spread_pips, spread_by_hour, spread_measured, slippage_pips, financing, sets, strategy)
    spec = spec_of(granularity, start, end, device, cluster, *stated, again=again)
    with open_database(load_settings()) as database, database.transaction() as connection:
        pairs = candles.pairs_with(connection, spec.granularity)
    if not pairs:
        raise InputError(f"the store has no {spec.granularity} candles", "import some: sep data sniff FILE says how")
    _train(pairs, spec, yes, json)


def _train(pairs: list[str], spec: "TrainingSpec", yes: bool, json: bool) -> None:
    from sep_trader.research.chosen import summary_of
    from sep_trader.research.job import train

    with open_database(load_settings()) as database, render.progress_bar() as bar:
        tasks = {pair: bar.add_task(f"Training {pair}", total=None) for pair in pairs}

        def told(pair: str, done: int, total: int) -> None:
            bar.update(tasks[pair], completed=done, total=total)

        def asked(may: list[str]) -> None:
            bar.stop()
            _ask(may)
            bar.start()

        results = train(database, pairs, spec, told, **({} if yes else {"may_withdraw": asked}))
    if json:
        columns = [{name: getattr(r, name) for name in type(r).__dataclass_fields__} for r in results]
        render.print_json({"results": [one | {"parameters": summary_of(one["parameters"])} for one in columns]})
        return
    if len(results) == 1:
        rows = ((c.condition, c.figure, c.limit, _PASSED[c.passed]) for c in results[0].table)
        render.print_table(results[0].pair, ["Condition", "Figure", "Limit", "Holds"], rows)
    for r in results:
        render.console.print(f"[bold]{r.pair}[/] {r.verdict.replace('_', ' ')} ({r.model_id}): {r.reason}")
    render.console.print("Computed on " + ", ".join(sorted({r.device for r in results})))


_PASSED = {True: "yes", False: "NO", None: ""}


def _ask(may: list[str]) -> None:
    """Warn before pairs that may trade are judged anew, and ask where somebody can answer."""
    text = f"{', '.join(may)} may trade now; what this training finds may withdraw that right"
    if not sys.stdin.isatty():
        raise NotAllowed(text, "give --yes to train all the same")
    if not typer.confirm(f"{text}. Train?", default=False):
        raise NotAllowed("nothing was trained", "leave these pairs out, or answer y")


@app.command("generate_signals")
def generate_signals(
    pairs: Annotated[
        list[str] | None, typer.Option("--pair", help="Only these pairs (repeatable).", autocompletion=known_pairs)
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep fetching candles and generating until Ctrl-C.")
    ] = False,
    candles: Annotated[int, typer.Option("--candles", min=1, help="Generate for this many newest candles.")] = 1,
    poll: Annotated[float, typer.Option("--poll", min=0.01, help="With --follow: seconds between looks.")] = 2.0,
    enabled: Annotated[bool, typer.Option("--enabled", help="Only pairs that may trade.")] = False,
    json: Json = False,
) -> None:
    """Generate signals for the newest complete candles of the trained pairs."""
    from sep_trader.signals.job import Follower, Generated, generate_newest, load_models

    settings = load_settings()
    wanted = [parse_pair(p) for p in pairs] if pairs else None

    aside: dict[str, InputError] = {}

    def set_aside(pair: str, error: InputError) -> None:
        if str(aside.get(pair)) != str(error):
            render.errors.print(f"sep: {pair}: {error}", markup=False, soft_wrap=True)
        aside[pair] = error

    def choose(connection: Connection) -> "list[Model]":
        return load_models(connection, set_aside, wanted, enabled_only=enabled)

    with open_database(settings) as database:
        with database.transaction() as connection:
            models = choose(connection)
        if not models and not aside:
            raise InputError("no trained pair to generate signals for", "run: train_manager.py train-all")

        def report(found: Generated) -> None:
            if json and (not follow or any(found.candles.values())):
                render.print_json({"candles": found.candles, "signals": found.signals})
            elif not json and (not follow or found.signals):
                rows = (
                    (
                        s.candle_time,
                        s.pair,
                        "BUY" if s.side > 0 else "SELL",
                        s.confidence,
                        s.stop_distance,
                        s.expires_at,
                    )
                    for s in found.signals
                )
                columns = ["Candle (UTC)", "Pair", "Side", "Confidence>", "Stop distance>", "Expires (UTC)"]
                render.print_table("New signals", columns, rows, empty="no signal on the newest candles")

        if not follow:
            report(generate_newest(database, models, set_aside, candles=candles))
            if aside:  # the good part is done, and the rest was listed
                raise typer.Exit(InputError.exit_code)
            return
        with open_broker(settings) as broker:
            _follow(Follower(database, broker, choose, set_aside), database, poll, report)


def _follow(follower: "Follower", database: Database, poll: float, report: "Callable[[Generated], None]") -> None:
    """Step until Ctrl-C or SIGTERM; a broker or a database out of reach is reported and tried again."""
    import signal

    from sep_trader.signals.job import report_alive

    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    next_sign = 0.0
    while not stopping.is_set():
        try:
            found = follower.step()
            report(found)
            if time.monotonic() >= next_sign:
                report_alive(database, "running", {"pairs": sorted(found.candles)})
                next_sign = time.monotonic() + SIGN_OF_LIFE_S
        except SepError as error:
            if not error.retryable:
                raise
            render.errors.print(f"sep: {error}; trying again")
            stopping.wait(5 * poll)
        stopping.wait(poll)
    report_alive(database, "stopped", {})


@app.command()
def enable(
    pair: PairName,
    override: Annotated[bool, typer.Option("--override", help="Enable a pair that is not READY (never live).")] = False,
    by: By = None,
    reason: Why = None,
    json: Json = False,
) -> None:
    """Let a pair trade. A pair that is not READY needs --override with --by and --reason, and no live account."""
    from sep_trader.research import rights

    name = parse_pair(pair)
    settings = load_settings()
    live = settings.oanda_environment is OandaEnvironment.LIVE
    with open_database(settings) as database, database.transaction() as connection:
        overridden = rights.enable(
            connection, name, live=live, user=getpass.getuser(), by=by, why=reason, override=override
        )
    if json:
        render.print_json({"pair": name, "enabled": True, "right": "override" if overridden else "verdict"})
        return
    render.console.print(
        f"{name} may trade" + (f" by override of {by}: {reason}" if overridden else ": its verdict is READY")
    )


@app.command()
def disable(pair: PairName, by: By = None, reason: Why = None, json: Json = False) -> None:
    """Take a pair's right to trade. Its open trade keeps its stop, target and horizon."""
    from sep_trader.research import rights

    name = parse_pair(pair)
    with open_database(load_settings()) as database, database.transaction() as connection:
        changed = rights.disable(connection, name, user=getpass.getuser(), by=by, why=reason)
    if json:
        render.print_json({"pair": name, "enabled": False, "changed": changed})
        return
    render.console.print(f"{name} may not trade" + ("" if changed else " (it was not enabled)"))
