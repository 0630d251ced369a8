"""`sep status`: is it alive, what does it trade, what is open, how did today go, is anything wrong?"""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json
from sep_trader.cli.wiring import open_database
from sep_trader.market.clock import from_epoch
from sep_trader.ops import units
from sep_trader.ops.alarms import of_findings
from sep_trader.ops.finding import Severity
from sep_trader.ops.running import ago, of_tables, seen_accounts, sign_of_life
from sep_trader.settings import load_settings
from sep_trader.store.queries import Row, queries

if TYPE_CHECKING:
    from sep_trader.research.live import LiveExpectancy
    from sep_trader.store.database import Connection, Database

app = typer.Typer()
_BEFORE_ALL = from_epoch(0)


@app.command()
def status(
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every few seconds, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.1, help="With --watch: seconds.")] = 2.0,
    json: Json = False,
) -> None:
    """Show the switch, the account, open trades, alarms, and every pair with its verdict."""
    with open_database(load_settings()) as database:
        while True:
            found = collect(database)
            if json:
                render.print_json(found)
            else:
                if watch and render.console.is_terminal:
                    render.console.clear()
                _show(found)
            if not watch:
                return
            time.sleep(every)


def collect(database: "Database") -> dict[str, Any]:
    """Everything that the overview shows."""
    now, settings = datetime.now(UTC), load_settings()
    with database.transaction() as connection:
        pairs = queries.many(connection, "pairs", Row)
        return {
            "notice": queries.optional(connection, "notice", str),
            "trading_state": queries.only(connection, "trading_state", Row),
            "accounts": seen_accounts(connection),
            "open_trades": queries.many(connection, "open_trades", Row),
            "trader": sign_of_life(connection),
            "alarms": of_findings(of_tables(connection, now, units.expected(now), settings.signal_silence_h)),
            "pairs": [{**row, "live": _live(connection, row)} for row in pairs],
            "newest": queries.only(connection, "newest", Row),
            "database": queries.only(connection, "database_info", Row),
            "statements": queries.many(connection, "newest_statements", Row),
        }


def _show(found: dict[str, Any]) -> None:
    state, newest, info = found["trading_state"], found["newest"], found["database"]
    if found["notice"]:
        render.console.print(f"[yellow]{found['notice']}[/]")
    render.console.print(f"Trading is [bold]{state['state']}[/]: {state['reason']} (by {state['changed_by']})")
    for alarm in found["alarms"]:
        if alarm.key == "switch":
            continue  # it stands above
        mark = "[dim]note[/]" if alarm.severity is Severity.INFO else "[red]ALARM[/]"
        render.console.print(f"{mark} {alarm.detail}")
    for one in found["accounts"]:
        render.console.print(
            f"Account {one.account_id}: balance {one.balance:,.2f}, NAV {one.nav:,.2f}, open P&L "
            f"{render.signed(one.open_pl)}, margin used {one.margin_used:,.2f}, "
            f"today {render.signed(one.day_pl)} (seen {ago(one.age_s)} ago)"
        )
    render.console.print(
        f"Newest candle {render.shown(newest['candle'])}, signal {render.shown(newest['signal'])}, "
        f"trade {render.shown(newest['trade'])}; schema {info['schema_version']}, {info['size_bytes'] / 1e6:.0f} MB"
    )
    for one in found["statements"]:
        alike = f"{one['decisions_identical']} of {one['decisions']} decisions were the backtest's"
        money = f"live {one['live']:,.2f}, backtest {one['backtest']:,.2f}"
        render.console.print(f"{one['day']} {one['pair']}: {alike}; {money}, unexplained {one['residual']}")
    trades = (
        (t["pair"], t["side"], f"{abs(t['units']):,f}", t["entry_price"], t["stop_price"], t["target_price"],
         render.signed(t["unrealized_pl"]), t["pips"], t["r"]) for t in found["open_trades"]
    )  # fmt: skip
    columns = ["Pair", "Side", "Units>", "Entry>", "Stop>", "Target>", "P&L>", "Pips>", "R>"]
    render.print_table("Open trades", columns, trades, empty="none")
    _show_pairs(found["pairs"])


def _show_pairs(pairs: list[dict[str, Any]]) -> None:
    rows = (
        (
            p["pair"],
            "yes" if p["enabled"] else "no",
            (p["verdict"] or "").replace("_", " "),
            _account(p),
            p["trades"],
            None if p["expectancy_pips"] is None else f"{p['expectancy_pips']:+.2f}",
            None if p["judged_at"] is None else f"{(datetime.now(UTC) - p['judged_at']).days} d",
            None if p["candles_until"] is None else f"{p['candles_until']:%Y-%m-%d}",
        )
        for p in pairs
    )
    columns = ["Pair", "Trades?", "Verdict", "Account", "Trades>", "Pips>", "Age>", "Data until"]
    render.print_table("Pairs", columns, rows, empty="none trained yet")
    for p in pairs:
        right = _right(p)
        render.console.print(f"{p['pair']}: {p['verdict_reason']}{'; ' + right if right else ''}")
        if p["live"].trades:
            found = p["live"]
            span = f"{found.low_r:+.2f} to {found.high_r:+.2f} R"
            text = f"{found.trades} live trades, {found.expectancy_r:+.2f} R each, {span}"
            render.console.print(f"{p['pair']}: {text} with 95 % at every look")


def _live(connection: "Connection", pair: Row) -> "LiveExpectancy":
    """What a pair's live trades say of its expectancy, since its account began."""
    from sep_trader.execution.edge import outcomes_of
    from sep_trader.research.live import live_expectancy

    found = outcomes_of(connection, pair["pair"], pair["decayed_at"] or _BEFORE_ALL)
    return live_expectancy([one.outcome for one in found], [one.most for one in found])


def _account(row: dict[str, Any]) -> str:
    """What the pair's account is worth, of what it must be; empty before there was one."""
    return "" if row["e_value"] is None else f"{row['e_value']:.3g} of {row['threshold']:.0f}"


def _right(row: dict[str, Any]) -> str:
    if not row["enabled"]:
        return str(row["disabled_reason"] or "")
    return f"override of {row['override_by']}: {row['override_reason']}" if row["override_reason"] else "verdict"
