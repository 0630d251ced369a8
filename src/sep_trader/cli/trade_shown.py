"""`sep trade trades` and `ledger`: what is open, what was closed, and where the money went."""

import csv
import sys
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.settings import load_settings
from sep_trader.store.queries import Row, queries

_OLD_S = 30.0
"""What the broker showed longer ago may be over."""
_TAX_COLUMNS = (
    "trade_id", "account_id", "currency", "pair", "side", "units", "entry_time", "entry_price", "exit_time",
    "exit_price", "exit_reason", "gross_pl", "financing", "commission", "conversion", "net_pl", "broker_day",
)  # fmt: skip


def trades(
    limit: Annotated[int, typer.Option("--limit", min=1)] = 50,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Every closed trade as CSV, oldest first, with its parts: for taxes.")
    ] = False,
    year: Annotated[int | None, typer.Option("--year", help="With --csv: only trades closed in this UTC year.")] = None,
    json: Json = False,
) -> None:
    """Show open trades as the broker showed them in the last pass, a person's own, and closed ones."""
    if as_csv:
        _write_csv(year)
        return
    with open_database(load_settings()) as database, database.transaction() as connection:
        open_now = queries.many(connection, "open_trades", Row)
        persons = queries.many(connection, "persons_trades", Row)
        closed = queries.many(connection, "closed_trades", Row, limit=limit)
    if json:
        render.print_json({"open": open_now, "persons": persons, "closed": closed})
        return
    columns = [
        "Trade>",
        "Pair",
        "Side",
        "Units>",
        "Status",
        "Entry>",
        "Stop>",
        "Target>",
        "P&L>",
        "Pips>",
        "R>",
        "Until",
    ]
    rows = [(*_open_cells(t),) for t in open_now]
    ages = [t["age_s"] for t in (*open_now, *persons) if t["age_s"] is not None]
    title = f"Open trades, seen {min(ages):,.0f} s ago" if ages else "Open trades"
    render.print_table(title, columns, rows, empty="none", tight=True)
    if ages and min(ages) > _OLD_S:
        render.console.print("[yellow]Nobody has looked since: is the trader running? What is shown may be over.[/]")
    if persons:
        columns = ["Trade>", "Pair", "Side", "Units>", "Entry>", "Stop>", "Whose"]
        keys = ("trade_id", "pair", "side", "units", "price", "stop_price", "owner")
        shown = ([abs(t[k]) if k == "units" else t[k] for k in keys] for t in persons)
        render.print_table("Not ours: left alone", columns, shown, tight=True)
    show_closed(closed)


def _open_cells(trade: dict[str, Any]) -> tuple[str, ...]:
    until = trade["horizon_at"]
    return (
        str(trade["trade_id"] or "-"),
        trade["pair"],
        trade["side"],
        f"{abs(trade['units']):,.0f}",
        trade["status"] if trade["status"] != "OPEN" or trade["seen"] else "OPEN?",
        str(trade["entry_price"] or "-"),
        "none" if trade["stop_price"] is None else f"{trade['stop_price'].normalize():f}",
        "-" if trade["target_price"] is None else f"{trade['target_price'].normalize():f}",
        render.signed(trade["unrealized_pl"]),
        "-" if trade["pips"] is None else f"{trade['pips']:+}",
        "-" if trade["r"] is None else f"{trade['r']:+}",
        "-" if until is None else f"{until:%m-%d %H:%M}",
    )


def show_closed(closed: list[dict[str, Any]]) -> None:
    """Print closed trades as a table."""
    columns = ["Pair", "Side", "Units>", "Entry (UTC)", "Price>", "Exit", "Price>", "Exit by", "Net P&L>"]
    rows = ((*(_cells(t)), render.signed(t["net_pl"])) for t in closed)
    render.print_table("Closed trades", columns, rows, empty="none", tight=True)


def _cells(trade: dict[str, Any]) -> tuple[str, ...]:
    entry, exit_ = trade["entry_time"], trade["exit_time"]
    return (
        trade["pair"],
        trade["side"],
        f"{abs(trade['units']):,.0f}",
        f"{entry:%m-%d %H:%M}",
        str(trade["entry_price"]),
        f"{exit_:%H:%M}" if entry.date() == exit_.date() else f"{exit_:%m-%d %H:%M}",
        str(trade["exit_price"]),
        trade["exit_reason"],
    )


def _write_csv(year: int | None) -> None:
    with open_database(load_settings()) as database, database.transaction() as connection:
        rows = queries.many(connection, "trades_for_taxes", Row, year=year)
    writer = csv.DictWriter(sys.stdout, _TAX_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: _plain(row[column]) for column in _TAX_COLUMNS} for row in rows)


def _plain(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else value


def ledger(
    since: Annotated[str | None, typer.Option("--from", help="First broker day, as 2026-11-27.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Last broker day, included.")] = None,
    json: Json = False,
) -> None:
    """Show where the money came from and went: profit and loss, financing, commission, conversion, transfers."""
    first, last = _day(since), _day(until)
    if first is not None and last is not None and last < first:
        raise InputError(f"--to {until} is before --from {since}", "an earlier beginning, or a later end")
    with open_database(load_settings()) as database, database.transaction() as connection:
        accounts = queries.many(connection, "ledger_accounts", Row)
        sums = {
            a["account_id"]: queries.many(
                connection, "ledger_sums", Row, account_id=a["account_id"], since=first, until=last
            )
            for a in accounts
        }
    if json:
        books = [{**a, "entries": {r["entry"]: r["amount"] for r in sums[a["account_id"]]}} for a in accounts]
        render.print_json({"accounts": books})
        return
    for account in accounts:
        title = f"{account['account_id']}, {account['currency']}: balance {account['balance']:,.2f}"
        rows = ((r["entry"], render.signed(_as_seen(r["entry"], r["amount"]))) for r in sums[account["account_id"]])
        render.print_table(title, ["Entry", "Received or paid>"], rows, empty="nothing booked")
    if not accounts:
        render.console.print("No account has been booked yet.")


def _as_seen(entry: str, amount: Decimal) -> Decimal:
    """Cash as it is; every other side the other way round, so that what was received is positive."""
    return amount if entry == "cash" else -amount


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise InputError(f"'{text}' is no day", "write it as 2026-11-27") from None
