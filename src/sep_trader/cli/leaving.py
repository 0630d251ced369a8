"""Ctrl-C while trades are open: nobody watches their horizon then, so a person is asked first. SIGTERM never asks."""

import sys
import threading
from collections.abc import Callable

import typer

from sep_trader.cli import render
from sep_trader.errors import SepError


class Leaving:
    """Decides whether an interrupt stops the trader. count: how many trades of ours are open; it may raise SepError."""

    def __init__(self, stop: Callable[[], None], count: Callable[[], int], yes: bool) -> None:
        self._stop, self._count, self._yes = stop, count, yes
        self._asking: threading.Thread | None = None

    def interrupted(self) -> None:
        """Ask beside the trader, which goes on meanwhile; a second interrupt while it asks is none."""
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._ask, name="leaving", daemon=True)
            self._asking.start()

    def _ask(self) -> None:
        try:
            open_now = self._count()
        except SepError as error:
            self._decide(f"whether trades are open cannot be told ({error})")
            return
        if open_now == 0:
            self._stop()
        else:
            self._decide(f"{open_now} trade{'s are' if open_now != 1 else ' is'} open")

    def _decide(self, why: str) -> None:
        text = (
            f"{why}: stops and targets rest at the broker, but nobody closes at the horizon while the trader is stopped"
        )
        if self._yes:
            render.errors.print(f"sep: {text}", markup=False)
            self._stop()
        elif not sys.stdin.isatty():
            text += "; not stopped: SIGTERM stops it, or start it with --yes"
            render.errors.print(f"sep: {text}", markup=False, soft_wrap=True)
        elif typer.confirm(f"{text}. Stop?", default=False, err=True):
            self._stop()
        else:
            render.errors.print("sep: the trader goes on")
