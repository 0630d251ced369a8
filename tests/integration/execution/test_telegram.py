"""A halt from the phone, with a server in Telegram's place, reaches the running trader."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.execution.conftest import World
from tests.support.telegram import MINE, Telegram
from tests.support.waiting import wait_until


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    """In Telegram's place."""
    started = Telegram()
    yield started
    started.server.shutdown()
    started.server.server_close()


def test_a_halt_from_the_phone_reaches_the_running_trader(world: World, telegram: Telegram, tmp_path: Path) -> None:
    """The command and the trader are processes; the exchange is the simulated one."""
    world.execute("UPDATE trading_state SET state = 'ACTIVE', changed_by = 'me', reason = 'a test'")
    environment = {**os.environ, **world.environment(), "SEP_HOME": str(tmp_path)}
    alert = environment | {
        "SEP_ALERT_URLS": f"json://127.0.0.1:{telegram.server.server_port}/x", "SEP_TELEGRAM_TOKEN": "123:SECRET",
        "SEP_TELEGRAM_CHATS": f"[{MINE}]", "SEP_TELEGRAM_URL": telegram.url,
    }  # fmt: skip
    command = [sys.executable, "-m", "sep_trader"]
    with (
        subprocess.Popen([*command, "trade", "run", "--poll", "0.2"], env=environment) as trader,
        subprocess.Popen([*command, "alert", "watch", "--poll", "0.2"], env=alert) as watch,
    ):
        try:
            wait_until(lambda: bool(world.rows("SELECT FROM component_status WHERE state = 'running'")), 30)
            telegram.say("/status")
            telegram.say("/open")
            telegram.say("/daily")
            telegram.say("/halt")
            telegram.say("yes")
            wait_until(lambda: len(telegram.said) == 5, 30)
        finally:
            watch.terminate()
            trader.terminate()
    texts = [text for _, text in telegram.said]
    assert "Trading is ACTIVE" in texts[0]
    assert texts[1] == "Nothing is open."
    assert "0 trades closed" in texts[2]
    assert texts[4] == "trading is HALTED"
    assert world.row("SELECT state, changed_by FROM trading_state") == {
        "state": "HALTED",
        "changed_by": "ann (Telegram)",
    }
    assert world.row("SELECT status, kind FROM trading_requests") == {"status": "DONE", "kind": "halt"}
