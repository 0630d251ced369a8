"""Ctrl-C in a trader with a trade open: asked on a terminal, refused elsewhere, and SIGTERM never asks."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from tests.integration.execution.conftest import World
from tests.support.trades import opened
from tests.support.waiting import wait_until

COMMAND = [sys.executable, "-m", "sep_trader", "trade", "run", "--poll", "0.2"]


@pytest.fixture
def traded(world: World) -> World:
    """A trade of ours is open, and no trader runs."""
    world.execute("UPDATE trading_state SET state = 'ACTIVE', changed_by = 'me', reason = 'a test'")
    trader = world.trader()
    opened(world, trader)
    trader.close()
    return world


def started(
    world: World, tmp_path: Path, *more: str, stdin: int | IO[bytes] | None = subprocess.DEVNULL
) -> tuple["subprocess.Popen[bytes]", Path]:
    log = tmp_path / "log"
    with log.open("wb") as told:
        process = subprocess.Popen([*COMMAND, *more], env={**world.environment(), "SEP_HOME": str(tmp_path)},
                                   stdin=stdin, stdout=told, stderr=told)  # fmt: skip
    wait_until(lambda: b"reconciled" in log.read_bytes(), 30)
    return process, log


def test_without_a_terminal_it_goes_on_and_says_why(traded: World, tmp_path: Path) -> None:
    process, log = started(traded, tmp_path)
    process.send_signal(signal.SIGINT)
    wait_until(lambda: b"1 trade is open" in log.read_bytes(), 10)
    assert b"start it with --yes" in log.read_bytes()
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_with_yes_it_says_so_and_stops(traded: World, tmp_path: Path) -> None:
    process, log = started(traded, tmp_path, "--yes")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert b"1 trade is open" in log.read_bytes()


@pytest.mark.parametrize(("answer", "stops"), [(b"n\n", False), (b"y\n", True)])
def test_on_a_terminal_it_asks(traded: World, tmp_path: Path, answer: bytes, stops: bool) -> None:
    ours, theirs = pty.openpty()
    process, log = started(traded, tmp_path, stdin=theirs)
    process.send_signal(signal.SIGINT)
    wait_until(lambda: b"Stop?" in log.read_bytes(), 10)
    os.write(ours, answer)
    if stops:
        assert process.wait(10) == 0
    else:
        wait_until(lambda: b"the trader goes on" in log.read_bytes(), 10)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    os.close(ours)
    os.close(theirs)


def test_with_nothing_open_it_just_stops(world: World, tmp_path: Path) -> None:
    process, _ = started(world, tmp_path)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
