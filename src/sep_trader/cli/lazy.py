"""The commands of `sep` by name, each loaded when it is called: `sep --version` imports no numpy and no database."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from sep_trader.cli.examples import EXAMPLES
from sep_trader.cli.vocabulary import COMMAND_ALIASES, understood
from sep_trader.entry import loading


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is defined, and what `sep --help` says of it: the first line of the command's own help.

    `group` tells whether the whole module is the command (`sep data ...`), or one of its commands (`sep train`).
    """

    module: str
    help: str
    group: bool = False


_TRAIN = "sep_trader.cli.train"
COMMANDS = {
    "status": Entry(
        "sep_trader.cli.overview", "Show the switch, the account, open trades, alarms, and every pair with its verdict."
    ),
    "train": Entry(_TRAIN, "Train and judge one pair on its candles in the store."),
    "train-all": Entry(
        _TRAIN, "Train and judge every pair that has candles. No verdict depends on which others are trained."
    ),
    "backtest": Entry(
        "sep_trader.cli.backtest",
        "Show what a strategy would have done. It is written into the ledger as a look, and never books.",
    ),
    "report": Entry("sep_trader.cli.report", "Write a report as one HTML file that needs no network."),
    "verify": Entry(
        "sep_trader.cli.report",
        "Compute every figure of a report again from the store. Exit code 1 where one differs.",
    ),
    "generate_signals": Entry(_TRAIN, "Generate signals for the newest complete candles of the trained pairs."),
    "enable": Entry(
        _TRAIN,
        "Let a pair trade. A pair that is not READY needs --override with --by and --reason, and no live account.",
    ),
    "disable": Entry(_TRAIN, "Take a pair's right to trade. Its open trade keeps its stop, target and horizon."),
    "trade": Entry("sep_trader.cli.trade", "Execute the signals of enabled pairs on the broker.", group=True),
    "signals": Entry("sep_trader.cli.signals", "Hand signals over to the trading machine, signed.", group=True),
    "results": Entry("sep_trader.cli.results", "What happened on the trading machine comes home.", group=True),
    "research": Entry("sep_trader.cli.research", "What was ever tried, and proofs of it.", group=True),
    "data": Entry("sep_trader.cli.data", "Market history: import, download, status, gaps, repair.", group=True),
    "qfh": Entry("sep_trader.cli.qfh", "Bits and window metrics of candles, and what sweeps run on.", group=True),
    "serve": Entry("sep_trader.cli.api", "Serve /api/status, /api/performance/daily and the dashboard until Ctrl-C."),
    "token": Entry("sep_trader.cli.token", "Who may use the API and the dashboard.", group=True),
    "demo": Entry(
        "sep_trader.cli.demo",
        "Run the whole loop: database, candles, training, verdicts, exchange, signals, trades, report, API.",
    ),
    "exchange": Entry("sep_trader.cli.exchange", "A simulated OANDA v20 exchange over real HTTP.", group=True),
    "storage": Entry("sep_trader.cli.storage", "The volume: areas, budgets, growth, days to full.", group=True),
    "maintenance": Entry(
        "sep_trader.cli.maintenance",
        "Apply retention and the storage budget, bring rollups up to date, and record how the areas grow.",
    ),
    "db": Entry("sep_trader.cli.database", "The database.", group=True),
    "backup": Entry("sep_trader.cli.backup", "Back up, prove the backups, restore.", group=True),
    "doctor": Entry(
        "sep_trader.cli.doctor",
        "Check settings, database, broker, clock, disk, ports, backups and more once; exit code 1 for a fault.",
    ),
    "logs": Entry("sep_trader.cli.logs", "Show the log: what was done, and what went wrong."),
    "config": Entry("sep_trader.cli.config", "Settings.", group=True),
    "alert": Entry("sep_trader.cli.alert", "Tell somebody when something is wrong.", group=True),
    "health": Entry(
        "sep_trader.cli.health",
        "Check all that ought to run, and what the disks, the backups and the broker say; exit code 1 for a fault.",
    ),
}


class LazyGroup(TyperGroup):
    """A group that lists its commands without loading them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return what the help shows of a command."""
        entry = COMMANDS.get(COMMAND_ALIASES.get(cmd_name, cmd_name))
        return None if entry is None else TyperCommand(cmd_name, help=entry.help, rich_markup_mode="rich")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load the command that is called."""
        name, shown, rest = super().resolve_command(ctx, args)
        if name is None:
            return name, shown, rest
        name = COMMAND_ALIASES.get(name, name)
        return name, load(name), understood(name, rest)


def load(name: str) -> Any:
    """Import a command of the table."""
    entry = COMMANDS[name]
    parent = typer.Typer(add_completion=False, rich_markup_mode="rich")
    with loading():
        module = import_module(entry.module)
    parent.add_typer(module.app, name=name if entry.group else None)
    found = cast(TyperGroup, get_command(parent)).commands[name]
    _show_examples(found, name)
    return found


def _show_examples(command: Any, path: str) -> None:
    """Put the examples of the table at the end of each command's help."""
    for name, below in getattr(command, "commands", {}).items():
        _show_examples(below, f"{path} {name}")
    if path in EXAMPLES:
        command.epilog = "For example:\n\n" + "\n\n".join(f"  {line}" for line in EXAMPLES[path])
