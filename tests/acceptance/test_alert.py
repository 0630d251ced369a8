"""Somebody is told: once, in words, within seconds, and when it is over. The target is a real HTTP receiver."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from tests.support.waiting import wait_until

from sep_trader.execution import switch
from sep_trader.states import TradingState
from sep_trader.store.database import Database
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries


class Receiver:
    """What arrived, oldest first; status: how it answers."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.pings = 0
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.status == 200:
                    outer.messages.append(json.loads(body))
                self.send_response(outer.status)
                self.end_headers()

            def do_GET(self) -> None:
                outer.pings += 1
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the console."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.messages]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on this machine."""
    started = Receiver()
    yield started
    started.server.shutdown()
    started.server.server_close()


@pytest.fixture
def environment(database: Database, tmp_path: Path, receiver: Receiver) -> dict[str, str]:
    """That of the command on the test's database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEP_", "OANDA_"))}
    port = receiver.server.server_port
    return {
        **kept, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(tmp_path),
        "SEP_ALERT_URLS": f"json://127.0.0.1:{port}", "SEP_DEADMAN_URL": f"http://127.0.0.1:{port}/alive",
    }  # fmt: skip


def sep(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sep_trader", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def turn(database: Database, state: TradingState) -> None:
    with database.transaction() as connection:
        switch.turn(connection, state, by="me", why="a test")
        queries.execute(connection, "set_component_status", component="trader", broker_time=None, state="running",
                        details=Jsonb({}))  # fmt: skip


def test_a_test_message_arrives_or_says_that_it_does_not(environment: dict[str, str], receiver: Receiver) -> None:
    assert sep(environment, "alert", "test").returncode == 0
    assert len(receiver.titles) == 1
    assert receiver.titles[0].endswith("test")
    receiver.status = 500
    assert sep(environment, "alert", "test").returncode == 1
    nobody = {name: value for name, value in environment.items() if name != "SEP_ALERT_URLS"}
    done = sep(nobody, "alert", "test")
    assert (done.returncode, "SEP_ALERT_URLS is not set" in done.stderr) == (2, True)
    done = sep(environment | {"SEP_ALERT_URLS": "nonsense"}, "alert", "test")
    assert (done.returncode, "target 1 of SEP_ALERT_URLS" in done.stderr) == (2, True)


def test_halted_is_told_within_five_seconds_once_and_when_it_is_over(
    environment: dict[str, str], receiver: Receiver, database: Database
) -> None:
    turn(database, TradingState.ACTIVE)
    with subprocess.Popen(
        [sys.executable, "-m", "sep_trader", "alert", "watch", "--poll", "0.5"], env=environment
    ) as process:
        wait_until(lambda: receiver.pings > 0, 20)
        begun = time.monotonic()
        turn(database, TradingState.HALTED)
        wait_until(lambda: any("trading is HALTED: a test (by me)" in one for one in receiver.titles), 10)
        assert time.monotonic() - begun < 5
        time.sleep(2)
        assert len(receiver.titles) == 1, receiver.titles
        assert receiver.messages[0]["type"] == "warning", "a person did it: worth a word, no alarm"
        with database.transaction() as connection:
            Log("trader").write(connection, "edge_gone", "EUR_USD: its edge is gone", level="critical")
        wait_until(lambda: any("edge_gone: EUR_USD" in one for one in receiver.titles), 10)
        turn(database, TradingState.ACTIVE)
        wait_until(lambda: any(one.endswith("switch: over") for one in receiver.titles), 10)
        assert len(receiver.titles) == 3
        process.terminate()


def test_what_did_not_arrive_is_tried_again(
    environment: dict[str, str], receiver: Receiver, database: Database
) -> None:
    turn(database, TradingState.HALTED)
    receiver.status = 500
    assert sep(environment, "alert", "watch", "--once").returncode == 0
    assert receiver.titles == []
    receiver.status = 200
    sep(environment, "alert", "watch", "--once")
    assert [one for one in receiver.titles if "HALTED" in one]
    told = len(receiver.titles)
    sep(environment, "alert", "watch", "--once")
    assert len(receiver.titles) == told


def test_nobody_is_flooded(environment: dict[str, str], receiver: Receiver, database: Database) -> None:
    turn(database, TradingState.ACTIVE)
    with database.transaction() as connection:
        for number in range(40):
            Log("trader").write(connection, "grave", f"line {number}", level="critical")
    sep(environment, "alert", "watch", "--once")
    assert len(receiver.titles) == 20
    assert "further ones are held back" in receiver.messages[-1]["message"]


def test_the_day_is_summed_up(environment: dict[str, str], receiver: Receiver) -> None:
    assert sep(environment, "alert", "daily").returncode == 0
    assert "today: net +0.00" in receiver.titles[0]
    assert "0 trades closed" in receiver.messages[0]["message"]


def test_a_database_out_of_reach_is_told_all_the_same(environment: dict[str, str], receiver: Receiver) -> None:
    away = environment | {"SEP_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}
    sep(away, "alert", "watch", "--once")
    assert [one for one in receiver.titles if one.endswith("database")]


def test_a_grave_line_is_told_once_however_often_the_watcher_starts(
    environment: dict[str, str], receiver: Receiver, database: Database
) -> None:
    turn(database, TradingState.ACTIVE)
    with database.transaction() as connection:
        Log("trader").write(connection, "edge_gone", "EUR_USD", level="critical")
    receiver.status = 500
    sep(environment, "alert", "watch", "--once")
    assert receiver.titles == []
    receiver.status = 200
    for _ in range(3):
        sep(environment, "alert", "watch", "--once")
    assert len([one for one in receiver.titles if "edge_gone" in one]) == 1
    assert len(receiver.titles) == 1, "no trader ever ran here, and nobody is called for that"
