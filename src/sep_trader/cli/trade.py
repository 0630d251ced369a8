"""`sep trade`: the trading daemon, its switch, and what people do by hand. One module a kind of command."""

import typer

from sep_trader.cli import (
    trade_campaign,
    trade_equity,
    trade_hand,
    trade_probe,
    trade_replay,
    trade_run,
    trade_shown,
    trade_simulate,
    trade_standby,
    trade_statement,
    trade_switch,
)

app = typer.Typer(no_args_is_help=True, help="Execute the signals of enabled pairs on the broker.")

for command in (
    trade_run.run,
    trade_switch.halt,
    trade_switch.reduce,
    trade_switch.resume,
    trade_switch.state,
    trade_switch.changes,
    trade_hand.flatten,
    trade_hand.close,
    trade_hand.adopt,
    trade_standby.standby,
    trade_probe.probe,
    trade_shown.trades,
    trade_shown.ledger,
    trade_equity.equity,
    trade_simulate.simulate,
    trade_replay.replay,
    trade_statement.statement,
    trade_campaign.campaign,
):
    app.command()(command)
