"""`sep exchange`: the simulated OANDA v20 exchange."""

import math
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import typer

from sep_trader.broker.exchange.figures import read_number, read_time
from sep_trader.broker.exchange.serve import ExchangeSettings, serve
from sep_trader.errors import InputError

app = typer.Typer(no_args_is_help=True, help="A simulated OANDA v20 exchange over real HTTP.")


class ClockName(StrEnum):
    """How exchange time runs."""

    replay = "replay"
    stepped = "stepped"
    live = "live"


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
) -> None:
    """Serve the exchange: REST and streams on one port. Prints one line when it listens; needs no database."""
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
            seed=seed,
            balance=_money(balance),
            currency=currency.upper(),
            skip_closed=skip_closed,
        )
    )


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


def _money(text: str) -> Decimal:
    amount = read_number(text)
    if amount is None or amount < 0:
        raise InputError(f"not an amount of money: '{text}'", "like 100000")
    return amount
