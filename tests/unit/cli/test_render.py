"""Tables are whole: at 80 columns each figure stands in full, and a pipe cuts nothing."""

import io

import pytest
from rich.console import Console

from sep_trader.cli import render

COLUMNS = ["Trade>", "Pair", "Side", "Units>", "Status", "Entry>", "Stop>", "Target>", "Until (UTC)", "Model"]
ROW = ["4711", "NZD_USD", "SELL", "-657,894", "OPEN", "0.64123", "0.64234", "0.63901", "2026-11-26 04:49:00", "m" * 40]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    written = io.StringIO()
    monkeypatch.setattr(render, "console", Console(file=written, width=80))
    return written


def test_a_table_that_does_not_fit_is_shown_in_blocks(screen: io.StringIO) -> None:
    render.print_table("Open trades", COLUMNS, [ROW, ROW])
    shown = screen.getvalue()
    assert "…" not in shown
    assert all(cell in shown for cell in ROW)
    assert "Stop 0.64234" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_one_that_fits_stays_a_table(screen: io.StringIO) -> None:
    render.print_table("Open trades", COLUMNS[:6], [ROW[:6]])
    lines = screen.getvalue().splitlines()
    assert lines[0].strip() == "Open trades"
    assert "Trade" in lines[1] and "Status" in lines[1]


def test_prose_is_not_a_word_a_line(screen: io.StringIO) -> None:
    why = "too few trades: 88 of 100 needed on 19 days of this very long year"
    render.print_table("Pairs", ["Pair", "Verdict", "Account", "Age>", "Why"],
                       [["EUR_USD", "NOT READY", "0.037 of 280", "12 d", why]])  # fmt: skip
    assert len(screen.getvalue().splitlines()) < 8


def test_markup_is_no_text(screen: io.StringIO) -> None:
    render.print_table("T", [f"{name} {'x' * 30}" for name in "abcd"], [["[green]+1.00[/]", "b", "c", "d"]])
    assert "[green]" not in screen.getvalue()
    assert "+1.00" in screen.getvalue()
