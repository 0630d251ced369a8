"""What people and programs see: Rich tables on a terminal, one JSON document with --json, progress bars on stderr."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from shutil import get_terminal_size
from typing import Any, Literal, TextIO

import orjson
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

_WORDY = frozenset({"Why", "Reason", "Meaning", "Figure"})
"""Columns of prose: only these are folded to the width of the terminal."""

_WORDY_WIDTH = 24
"""Narrower, and prose is a word a line."""
_PIPE = (1_000, 50)
"""A pipe has no edge: what reads it cuts lines itself. COLUMNS says otherwise."""


def _width(stream: TextIO) -> int | None:
    """None lets the terminal say."""
    return None if stream.isatty() else get_terminal_size(_PIPE).columns


console = Console(width=_width(sys.stdout))
errors = Console(stderr=True, width=_width(sys.stderr))


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

    A terminal that is too narrow gets a block a row instead: a figure that is cut short is worth nothing.
    least_width: a narrower terminal folds the lines.
    """
    table = Table(
        header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0 if tight else 1, 0, 0), show_edge=False
    )
    for column in columns:
        narrow = column.rstrip(">") not in _WORDY
        side: Literal["left", "right"] = "right" if column.endswith(">") else "left"
        table.add_column(column.rstrip(">"), justify=side, no_wrap=narrow, min_width=None if narrow else _WORDY_WIDTH)
    cells = [[shown(cell) for cell in row] for row in rows]
    for row in cells:
        table.add_row(*row)
    if not cells:
        console.print(f"[bold]{title}[/]: {empty}")
        return
    console.print(f"[bold]{title}[/]")
    if least_width or _needed(columns, cells, 1 if tight else 2) <= console.width:
        wide = console if console.width >= least_width else Console(width=least_width)
        wide.print(table, "")
    else:
        _print_blocks([column.rstrip(">") for column in columns], cells)


def _needed(columns: Sequence[str], rows: Sequence[Sequence[str]], gap: int) -> int:
    """Characters in which the table is whole: prose may be folded, a figure may not."""
    total = 0
    for at, column in enumerate(columns):
        name = column.rstrip(">")
        widest = max(cell_len(name), *(cell_len(Text.from_markup(row[at]).plain) for row in rows))
        total += gap + (min(widest, _WORDY_WIDTH) if name in _WORDY else widest)
    return total - gap


def _print_blocks(names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print each row as a few lines of names and values, none of them cut."""
    for row in rows:
        text = Text()
        for name, cell in zip(names, row, strict=True):
            value = Text.from_markup(cell)
            part = Text.assemble((f"{name} ", "dim"), value)
            if text and len(text.plain.rpartition("\n")[2]) + 2 + len(part) > console.width:
                text.append("\n  ")
            elif text:
                text.append("  ")
            text.append_text(part)
        console.print(text)
    console.print()


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
