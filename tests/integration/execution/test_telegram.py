"""The Telegram bot, with a server in Telegram's place: it obeys its chats only, and halts after it has asked once."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.integration.execution.conftest import World
from tests.support.waiting import wait_until

from sep_trader.ops.telegram import Bot

MINE, FOREIGN = 42, 666


class Telegram:
    """What the bot is given, and what it says."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.said: list[tuple[int, str]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("/sendMessage"):
                    outer.said.append((body["chat_id"], body["text"]))
                    result: Any = {}
                else:
                    result = [one for one in outer.updates if one["update_id"] >= body["offset"]]
                answer = json.dumps({"ok": True, "result": result}).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nothing on the console."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def say(self, text: str, chat: int = MINE) -> None:
        message = {"chat": {"id": chat}, "from": {"username": "ann"}, "text": text}
        self.updates.append({"update_id": len(self.updates) + 1, "message": message})


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    """In Telegram's place."""
    started = Telegram()
    yield started
    started.server.shutdown()
    started.server.server_close()


def bot_of(telegram: Telegram, halts: list[str]) -> Bot:
    def halt(by: str) -> str:
        halts.append(by)
        return "halted"

    return Bot(telegram.url, "123:SECRET", frozenset({MINE}), {"status": lambda: "fine"}, halt)


def test_it_answers_its_own_chats_once(telegram: Telegram) -> None:
    bot = bot_of(telegram, [])
    telegram.say("/status")
    telegram.say("/status", FOREIGN)
    telegram.say("/status@sep_bot")
    telegram.say("hello")
    bot.poll(0)
    bot.poll(1)
    assert telegram.said == [(MINE, "fine"), (MINE, "fine"), (MINE, "I know /status, /open, /daily, /halt.")]


@pytest.mark.parametrize(
    ("said", "halts"),
    [
        (["/halt"], []),
        (["/halt", "yes"], ["ann (Telegram)"]),
        (["/halt", "YES"], ["ann (Telegram)"]),
        (["/halt", "no", "yes"], []),
        (["yes"], []),
        (["/halt", "yes", "yes"], ["ann (Telegram)"]),
    ],
)
def test_a_halt_is_confirmed_once(telegram: Telegram, said: list[str], halts: list[str]) -> None:
    done: list[str] = []
    bot = bot_of(telegram, done)
    for text in said:
        telegram.say(text)
    telegram.say("/halt", FOREIGN)
    telegram.say("yes", FOREIGN)
    bot.poll(0)
    assert done == halts


def test_a_confirmation_after_a_minute_is_none(telegram: Telegram) -> None:
    done: list[str] = []
    bot = bot_of(telegram, done)
    telegram.say("/halt")
    bot.poll(0)
    telegram.say("yes")
    bot.poll(61)
    assert done == []


def test_the_token_stands_in_no_error(telegram: Telegram) -> None:
    telegram.status = 401
    with pytest.raises(Exception, match="getUpdates") as told:
        bot_of(telegram, []).poll(0)
    assert "SECRET" not in str(told.value)


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
