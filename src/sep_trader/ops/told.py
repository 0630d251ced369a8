"""What is told in a few lines of text: the overview, what is open, the day. For messages, where no table fits."""

from datetime import datetime

from sep_trader.ops.running import ago, seen_accounts, sign_of_life
from sep_trader.store.database import Connection
from sep_trader.store.queries import Row, queries


def overview(connection: Connection, now: datetime) -> str:
    """Is it alive, what is it worth, what is open, what is on?"""
    state, trader = queries.only(connection, "trading_state", Row), sign_of_life(connection)
    heard = (
        "never heard"
        if trader is None
        else f"{trader.state}, heard {ago((now - trader.updated_at).total_seconds())} ago"
    )
    lines = [f"Trading is {state['state']}: {state['reason']} (by {state['changed_by']})", f"Trader {heard}"]
    lines += [
        f"{a.account_id}: NAV {a.nav:,.2f}, open {a.open_pl:+,.2f}, today {a.day_pl:+,.2f}, margin {a.margin_used:,.2f}"
        f" (seen {ago(a.age_s)} ago)"
        for a in seen_accounts(connection)
    ]
    alarms = queries.many(connection, "alert_states", Row)
    lines += [f"{one['severity']}: {one['detail']}" for one in alarms] or ["No alarm is on."]
    return "\n".join([*lines, open_trades(connection)])


def open_trades(connection: Connection) -> str:
    """Every open trade of ours, a line each."""

    def line(trade: Row) -> str:
        money = "" if trade["unrealized_pl"] is None else f" {trade['unrealized_pl']:+,.2f}"
        rest = "" if trade["pips"] is None else f", {trade['pips']:+} pips, {trade['r']:+} R"
        stop = "no stop seen" if trade["stop_price"] is None else f"stop {trade['stop_price'].normalize():f}"
        units = f"{abs(trade['units']):,f}".rstrip("0").rstrip(".")
        return f"{trade['pair']} {trade['side']} {units}:{money}{rest}; {stop}"

    found = queries.many(connection, "open_trades", Row)
    return "\n".join(line(trade) for trade in found) or "Nothing is open."


def day(connection: Connection, now: datetime) -> str:
    """The broker's day so far."""
    found = queries.only(connection, "day_summary", Row, now=now)
    state = queries.only(connection, "trading_state", Row)
    lines = [
        f"{found['trades']} trades closed, net {found['net_pl']:+,.2f}; {found['open_trades']} open; "
        f"{found['signals']} signals"
    ]
    lines += [f"account {a.account_id}: NAV {a.nav:,.2f}, today {a.day_pl:+,.2f}" for a in seen_accounts(connection)]
    return "\n".join([*lines, f"trading is {state['state']}"])
