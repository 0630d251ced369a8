"""What people and programs see: Rich tables on a terminal, one JSON document with --json, progress bars on stderr."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

_WORDY = frozenset({"Why", "Reason", "Meaning", "Figure"})
"""Columns of prose: only these are folded to the width of the terminal."""

console = Console()
errors = Console(stderr=True)


def print_json(value: Any) -> None:
    """Write one JSON document and a newline to standard output."""
    sys.stdout.buffer.write(orjson.dumps(value, default=_plain) + b"\n")
    sys.stdout.flush()


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    empty: str = "nothing yet",
    tight: bool = False,
    least_width: int = 0,
) -> None:
    """Print a table; columns whose name ends in `>` are right-aligned, `tight` leaves one space between columns.

    least_width: a narrower terminal folds the lines; cutting columns short would hide figures.
    """
    table = Table(
        title=title, title_justify="left", header_style="bold", title_style="bold", box=SIMPLE_HEAD, pad_edge=False,
        padding=(0, 0 if tight else 1, 0, 0), show_edge=False,
    )  # fmt: skip
    for column in columns:
        narrow = column.rstrip(">") not in _WORDY
        table.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left", no_wrap=narrow)
    count = 0
    for row in rows:
        table.add_row(*(shown(cell) for cell in row))
        count += 1
    if count:
        wide = console if console.width >= least_width else Console(width=least_width)
        wide.print(table, "")
    else:
        console.print(f"[bold]{title}[/]: {empty}")


def progress_bar() -> Progress:
    """A progress bar on stderr; silent when stderr is not a terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


def shown(cell: Any) -> str:
    """A cell for people."""
    if cell is None:
        return "-"
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    if isinstance(cell, Decimal):
        return f"{cell:,f}"
    return str(cell)


def signed(amount: Decimal | None) -> str:
    """An amount with its sign, green above and red below zero."""
    if amount is None:
        return "-"
    colour = "green" if amount > 0 else "red" if amount < 0 else "dim"
    return f"[{colour}]{amount:+,.2f}[/]"


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")
