"""`sep trade statement`: was the live day the backtest? Run each night by a timer, or by hand."""

from datetime import date
from typing import Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import open_broker, open_database, risk_of
from sep_trader.errors import InputError
from sep_trader.settings import load_settings


def statement(
    day: Annotated[
        str | None, typer.Option("--day", help="A broker day, as 2026-01-31; the newest that is over.")
    ] = None,
    json: Json = False,
) -> None:
    """Hold a live day against the broker's own candles of it: decisions, trades, and the difference in money.

    The statement is kept, and sep status shows the newest. Exits with 1 when a decision differs.
    """
    from sep_trader.simulation.nightly import day_before, make_statements

    asked = _day(day)
    settings = load_settings()
    with open_database(settings) as database, open_broker(settings) as broker:
        chosen = asked or day_before(broker.pricing([broker.instruments()[0].name]).time)
        risk = risk_of(settings).limits.risk_per_trade
        stated = make_statements(database, broker, chosen, risk_per_trade=risk, set_aside=_set_aside)
    if json:
        render.print_json(
            [
                {
                    "day": one.day,
                    "pair": one.pair,
                    "model_id": one.model_id,
                    "decisions": one.statement.decisions,
                    "decisions_identical": one.statement.decisions_identical,
                    "trades": one.statement.trades,
                    "identical": one.statement.identical,
                    "live": f"{one.statement.money.live:.4f}",
                    "backtest": f"{one.statement.money.tested:.4f}",
                    "parts": {name: f"{amount:.4f}" for name, amount in one.statement.money.parts.items()},
                    "residual": f"{one.statement.money.residual:.4f}",
                    "differing": list(one.statement.differing),
                }
                for one in stated
            ]
        )
    else:
        rows = (
            (
                one.pair, f"{one.statement.decisions_identical} of {one.statement.decisions}",
                f"{one.statement.identical} of {one.statement.trades}", f"{one.statement.money.tested:,.2f}",
                f"{one.statement.money.live:,.2f}", f"{one.statement.money.residual:.4f}",
            )
            for one in stated
        )  # fmt: skip
        columns = ("Pair", "Decisions>", "Trades>", "Backtest>", "Live>", "Residual>")
        render.print_table(f"The broker's day {chosen}", columns, rows, empty="no model traded, or was to trade")
        for text in (text for one in stated for text in one.statement.differing):
            render.console.print(f"[red]differs[/] {text}")
    if not all(one.statement.decided_alike for one in stated):
        raise typer.Exit(1)


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise InputError(f"'{text}' is no day", "as 2026-01-31") from None


def _set_aside(pair: str, error: InputError) -> None:
    """A model that cannot be read here is named; the others are stated."""
    render.errors.print(f"sep: {pair} is not stated: {error}", markup=False, soft_wrap=True)
