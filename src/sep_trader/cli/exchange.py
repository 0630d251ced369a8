"""`sep exchange`: the simulated OANDA v20 exchange."""

import math
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import typer

from sep_trader.errors import InputError
from sep_trader.exchange.accounts.floor import Policy
from sep_trader.exchange.build import BEGINNING, ExchangeSettings
from sep_trader.exchange.market.figures import SECOND, read_number, read_time
from sep_trader.exchange.market.lean import write_market
from sep_trader.exchange.market.sessions import STANDARD_HOURS, Sessions
from sep_trader.exchange.serve import serve

app = typer.Typer(no_args_is_help=True, help="A simulated OANDA v20 exchange over real HTTP.")


class ClockName(StrEnum):
    """How exchange time runs."""

    replay = "replay"
    stepped = "stepped"
    live = "live"


class Hours(StrEnum):
    """When the market is open."""

    fx = "fx"
    always = "always"


class Lookup(StrEnum):
    """Which orders are found by their id."""

    pending = "pending"
    historic = "historic"


@app.callback()
def group() -> None:
    """A simulated OANDA v20 exchange over real HTTP."""


@app.command("serve")
def serve_command(
    token: list[str] = typer.Option(..., "--token", help="Bearer token; repeat it to go with several accounts."),
    account: list[str] = typer.Option(..., "--account", help="Account id, like 101-001-0000001-001; repeatable."),
    port: int = typer.Option(8099, help="Port to listen on; 0 picks a free one."),
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    data: list[Path] = typer.Option([], help="Folder (or zips) of recorded quotes in the Lean layout; repeatable."),
    start: str = typer.Option("", help="Exchange time to begin at, like 2014-05-02T00:00:00Z."),
    speed: float = typer.Option(1.0, help="How many times faster than real time a replay runs."),
    clock: ClockName | None = typer.Option(None, help="replay (default with --data), stepped, or live."),
    seed: int = typer.Option(7, help="Seed of everything random."),
    balance: str = typer.Option("100000", help="Deposit of each account, in its home currency."),
    currency: str = typer.Option("USD", help="Home currency of the accounts."),
    skip_closed: bool = typer.Option(True, help="Replay: jump over spans of more than an hour without a quote."),
    state: Path | None = typer.Option(None, help="File that keeps accounts, orders and trades across restarts."),
    hedging: bool = typer.Option(False, help="Accounts may hold long and short trades of one instrument."),
    fifo: bool = typer.Option(False, help="Accounts follow the FIFO rule and its safeguard."),
    markup: str = typer.Option("0.01", help="Share that a conversion into home currency costs."),
    hours: Hours = typer.Option(Hours.fx, help="fx (New York week with a daily break) or always."),
    order_lookup: Lookup = typer.Option(Lookup.pending, help="Which orders GET orders finds by id."),
    instruments: str = typer.Option("", help="Pairs on offer, like EUR_USD,NZD_USD; all there are by default."),
    rate: float = typer.Option(1.0, help="Seeded market: quotes a second and instrument."),
    edge: float = typer.Option(0.0, help="Seeded market: planted edge, 0 to 1."),
) -> None:
    """Serve the exchange: REST and streams on one port. Prints one line when it listens; needs no database."""
    share = _money(markup)
    if share >= 1:
        raise InputError(f"a conversion markup of {markup}", "give a share, like 0.01")
    serve(
        ExchangeSettings(
            tokens=token,
            accounts=account,
            port=port,
            host=host,
            data=data,
            start=_time(start),
            speed=_positive(speed),
            clock=str(clock or (ClockName.replay if data else ClockName.live)),
            seed=_seed(seed),
            balance=_money(balance),
            currency=currency.upper(),
            hedging=hedging,
            fifo=fifo,
            skip_closed=skip_closed,
            policy=Policy(share, str(order_lookup), Sessions(always=True) if hours is Hours.always else STANDARD_HOURS),
            instruments=[name for name in instruments.split(",") if name],
            per_second=rate,
            edge=edge,
            state=state,
        )
    )


@app.command("market")
def market_command(
    out: Path = typer.Option(..., help="Folder to write to."),
    pairs: str = typer.Option("EUR_USD,NZD_USD", help="Pairs, like EUR_USD,NZD_USD."),
    days: int = typer.Option(12, help="How many days on which the market is open."),
    seed: int = typer.Option(7, help="Seed: the same seed writes the same bytes."),
    edge: float = typer.Option(0.0, help="Planted edge, 0 to 1: how much two minutes in one direction go on."),
    start: str = typer.Option("", help="First day, like 2026-01-05T00:00:00Z."),
) -> None:
    """Write a seeded market as a folder of one-minute candles that the exchange replays and the importer reads."""
    begin = _time(start)
    names = [name for name in pairs.split(",") if name]
    if not names:
        raise InputError("no pairs", "like --pairs EUR_USD,NZD_USD")
    files = write_market(out, names, (BEGINNING if begin is None else begin) // SECOND, days, _seed(seed), edge)
    typer.echo(f"sep exchange: wrote {files} files to {out}")


def _time(text: str) -> int | None:
    if not text:
        return None
    ns = read_time(text)
    if ns is None:
        raise InputError(f"not a time: '{text}'", "like 2014-05-02T00:00:00Z")
    return ns


def _positive(speed: float) -> float:
    if not math.isfinite(speed) or speed <= 0:
        raise InputError(f"speed {speed} makes no time pass", "give a number above 0, like 600")
    return speed


def _seed(seed: int) -> int:
    if seed < 0:
        raise InputError(f"seed {seed}", "give 0 or more")
    return seed


def _money(text: str) -> Decimal:
    amount = read_number(text)
    if amount is None or amount < 0:
        raise InputError(f"not an amount: '{text}'", "like 100000")
    return amount
