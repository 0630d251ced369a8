"""`sep research`: the ledger of what was tried, and proofs: a run again, look-ahead, warm-up, the self-test."""

import json as json_text
import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.training_options import Financing, Sets, Slippage, StrategyName, Timeframe, spec_of
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.settings import load_settings
from sep_trader.store.queries import queries

if TYPE_CHECKING:
    from sep_trader.market.candles import Candles
    from sep_trader.research.artifact import Model
    from sep_trader.research.ledger import Head
    from sep_trader.research.lookahead import Difference

_ASKED = 20_000
"""The newest candles that a model is asked about."""
FOUND = 1
"""Exit code where something is wrong with what was checked."""
_SHOWN_OF_A_HASH = 16

app = typer.Typer(no_args_is_help=True, help="What was ever tried, and proofs of it.")
ledger_app = typer.Typer(no_args_is_help=True, help="The ledger of research: a chain to which rows are only added.")
app.add_typer(ledger_app, name="ledger")


@ledger_app.command()
def verify(
    head: Annotated[
        str | None, typer.Option("--head", help="NUMBER:HASH as it was printed before: the chain must still hold it.")
    ] = None,
    json: Json = False,
) -> None:
    """Check every hash of the chain, and that research_runs tells the same. Exit code 1 when something is wrong."""
    from sep_trader.research import ledger

    expected = None if head is None else _head(head)
    with open_database(load_settings()) as database, database.transaction() as connection:
        faults, newest = ledger.verify(connection, expected), ledger.head_of(connection)
    if json:
        render.print_json({"rows": newest.number, "head": newest.hash, "faults": faults, "ok": not faults})
    else:
        rows = ((one.number, one.text) for one in faults)
        if faults:
            render.print_table("What is wrong with the ledger", ["Row>", "It"], rows)
        else:
            render.console.print(f"{newest.number} rows, all of them as they were written.")
        render.console.print(f"Head, to note elsewhere: {newest.number}:{newest.hash}")
    if faults:
        raise typer.Exit(FOUND)


@ledger_app.command()
def show(
    pair: Annotated[str | None, typer.Option("--pair", help="Only this pair.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many of the newest rows.")] = 20,
    json: Json = False,
) -> None:
    """Show the newest rows of the ledger."""
    from sep_trader.market.instrument import parse_pair
    from sep_trader.research import ledger

    wanted = None if pair is None else parse_pair(pair)
    with open_database(load_settings()) as database, database.transaction() as connection:
        chain = [one for one in ledger.entries(connection) if wanted in (None, one.pair)][-limit:]
    if json:
        render.print_json([{**_columns(one), "body": json_text.loads(one.body)} for one in chain])
        return
    rows = (
        (one.number, one.at, one.kind, one.pair, one.design, one.run_id, one.hash[:_SHOWN_OF_A_HASH]) for one in chain
    )
    columns = ["Row>", "At (UTC)", "Kind", "Pair", "Design", "Run", "Hash"]
    render.print_table("Ledger of research", columns, rows, empty="nothing was tried yet")


@app.command()
def register(
    pair: str,
    granularity: Timeframe = "M1",
    slippage_pips: Slippage = None,
    financing: Financing = None,
    strategy: StrategyName = None,
    sets: Sets = None,
    json: Json = False,
) -> None:
    """Write a design of your own into the ledger: its trades on candles after this moment count for a live account.

    The second one of a pair weighs a fourth of the first, the third a ninth. None is ever removed.
    """
    from sep_trader.market.instrument import parse_pair
    from sep_trader.research.material import costs_of
    from sep_trader.research.registration import register as write

    name = parse_pair(pair)
    spec = spec_of(granularity, None, None, "auto", None, None, None, False, slippage_pips, financing, sets, strategy)
    with open_database(load_settings()) as database, database.transaction() as connection:
        costs = costs_of(connection, name, spec)
        design, head = write(connection, name, spec.granularity, spec.grid, spec.plan, costs)
    shown = {"pair": name, "design": design.name, "weight": design.weight, "released": design.released}
    if json:
        render.print_json(shown | {"head": f"{head.number}:{head.hash}"})
        return
    render.console.print(
        f"{design.name} of {name} bets on candles after {render.shown(design.released)} UTC, "
        f"with {design.weight:.0%} of half of the clean account. Train it with the same options."
    )
    render.console.print(f"Head of the ledger, to note elsewhere: {head.number}:{head.hash}")


@app.command()
def rerun(
    run_id: Annotated[str, typer.Argument(help="As `sep research ledger show` lists it.")], json: Json = False
) -> None:
    """Run a training of the ledger again, and compare. Exit code 1 when the trades or the candles differ."""
    from sep_trader.research.rerun import rerun as run_again

    try:
        wanted = uuid.UUID(run_id)
    except ValueError:
        raise InputError(f"not a run: '{run_id[:40]}'", "as `sep research ledger show` lists it") from None
    with open_database(load_settings()) as database:
        found = run_again(database, wanted)
    if json:
        columns = {name: getattr(found, name) for name in type(found).__dataclass_fields__}
        render.print_json({**columns, "ok": found.ok})
    elif found.ok:
        render.console.print(f"{found.pair}: the same {found.trades} trades on the same candles, to the byte.")
    for one in [] if json else found.differing:
        render.console.print(f"{found.pair}: {one}")
    if not json and found.code != found.code_again:
        render.console.print(f"The code was {found.code}, it is {found.code_again}.")
    if not found.ok:
        raise typer.Exit(FOUND)


@app.command()
def selftest(
    series: Annotated[int, typer.Option("--series", min=10, help="Series without an edge; 200 are a full run.")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")] = 1,
    json: Json = False,
) -> None:
    """Prove the rules of evidence: nothing without an edge is READY too often, every known mistake is seen to fail.

    Exit code 1 when a bound breaks.
    """
    from sep_trader.research.selftest.report import Rate
    from sep_trader.research.selftest.report import selftest as run_all

    with render.progress_bar() as bar:
        task = bar.add_task("Series without an edge", total=series)
        found = run_all(series, seed, lambda done, total: bar.update(task, completed=done, total=total))
    if json:
        render.print_json({**_columns(found), "ok": found.ok})
    else:
        rates = {name: rate for name, rate in _columns(found).items() if isinstance(rate, Rate)}
        rows = (
            (name.replace("_", " "), f"{r.rate:.1%}", f"{r.low:.1%} to {r.high:.1%}", r.n) for name, r in rates.items()
        )
        render.print_table("What happens without an edge, and with one", ["What", "Rate>", "95 %", "Of>"], rows)
        mistakes = ((c.name, f"{c.rate:.1%}", "yes" if c.caught else "NO") for c in found.negative_controls)
        render.print_table("Mistakes that must be seen to fail", ["Mistake", "READY>", "Seen"], mistakes)
        run = found.run_length
        render.console.print(
            f"Peeks caught {found.peeks_caught} of {found.peeks}; t test uniform, p {found.ks_p:.2g}; decay detector "
            f"cries wolf after {run.mean:.0f} trades (at least {run.wanted} wanted); trained again "
            f"{found.trained_again_same} of {found.trained_again} the same."
        )
        render.console.print("\n".join(f"[red]{one}[/]" for one in found.failed) or "All of it holds.")
    if not found.ok:
        raise typer.Exit(FOUND)


@app.command()
def lookahead(model: Annotated[str, typer.Argument(help="Id of a model.")], json: Json = False) -> None:
    """Ask a model whether it looks ahead: up to any candle it must propose what it proposes when it knows the rest.

    Exit code 1 when it does not.
    """
    from sep_trader.research.lookahead import looks_ahead
    from sep_trader.research.strategies import propose

    chosen, candles = _model(model)
    found = looks_ahead(lambda part: propose(part, chosen.parameters), candles)
    _differences(chosen, found, json, "looks ahead", "does not look ahead")


@app.command()
def warmup(model: Annotated[str, typer.Argument(help="Id of a model.")], json: Json = False) -> None:
    """Ask a model whether the candles that it says it needs before its first proposal are enough.

    Exit code 1 when they are not.
    """
    from sep_trader.research.lookahead import needs_more
    from sep_trader.research.strategies import propose

    chosen, candles = _model(model)
    stated = chosen.parameters.warm_up(chosen.granularity)
    if len(candles) <= stated + 1:
        raise InputError(f"{len(candles)} candles are not more than the {stated} that it needs first", "import more")
    found = needs_more(lambda part: propose(part, chosen.parameters), candles, stated)
    _differences(chosen, found, json, f"needs more than {stated} candles", f"needs at most {stated} candles")


def _model(name: str) -> "tuple[Model, Candles]":
    """A model, and the newest candles of its pair."""
    from sep_trader.research.artifact import Model
    from sep_trader.store import candles as store

    with open_database(load_settings()) as database, database.transaction() as connection:
        artifact = queries.optional(connection, "model_artifact", dict, id=name)
        if artifact is None:
            raise InputError(f"no model {name[:40]}", "sep status --json lists model_id")
        model = Model.from_json(artifact)
        candles = store.read_or_make(connection, model.pair, model.granularity)
    if len(candles) == 0:
        raise InputError(f"no {model.granularity} candles of {model.pair}", "sep data import")
    return model, candles.take(slice(max(0, len(candles) - _ASKED), len(candles)))


def _differences(model: "Model", found: "list[Difference]", json: bool, bad: str, good: str) -> None:
    if json:
        render.print_json({"model": model.id, "pair": model.pair, "differences": found, "ok": not found})
    else:
        if found:
            rows = ((one.cut, one.candle, one.column, one.whole, one.part) for one in found[:20])
            render.print_table("Proposals that change", ["Cut>", "Candle>", "Column", "Whole>", "Part>"], rows)
        render.console.print(f"Model {model.id} of {model.pair} {bad if found else good}.")
    if found:
        raise typer.Exit(FOUND)


def _columns(entry: object) -> dict[str, object]:
    return {name: getattr(entry, name) for name in type(entry).__dataclass_fields__}  # type: ignore[attr-defined]


def _head(text: str) -> "Head":
    from sep_trader.research.ledger import Head

    number, _, digest = text.partition(":")
    if not number.isdigit() or not digest:
        raise InputError(
            f"not a head of the ledger: '{text[:40]}'", "NUMBER:HASH, as `sep research ledger verify` prints"
        )
    return Head(int(number), digest)
