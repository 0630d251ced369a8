"""Training by the command: what may withdraw a right is asked first, and what was broken off goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from tests.support.candles import random_walk

from sep_trader.store import candles as store
from sep_trader.store.database import Database

Sep = Callable[..., "subprocess.CompletedProcess[str]"]
TRAIN_ALL = ("train-all", "--spread-pips", "0.1", "--json")


@pytest.fixture
def environment(database: Database, tmp_path: Path) -> dict[str, str]:
    """That of the command on the test's database."""
    for seed, pair in enumerate(("EUR_USD", "GBP_USD")):
        walk = random_walk(14_000, seed, pair=pair)
        store.load(database, replace(walk, spread=np.full(len(walk), np.nan)))
    return {**os.environ, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(tmp_path)}


def sep(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sep_trader", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def count(database: Database, statement: str) -> int:
    with psycopg.connect(database.url) as connection:
        ((found,),) = connection.execute(statement.encode()).fetchall()
        return int(found)


def test_a_pair_that_may_trade_is_not_trained_unasked(environment: dict[str, str], database: Database) -> None:
    first = sep(environment, "train", "EUR_USD", "--spread-pips", "0.1", "--json")
    assert first.returncode == 0, first.stderr
    (result,) = json.loads(first.stdout)["results"]
    assert {one["condition"] for one in result["table"]} >= {"account, practice", "Student t, p"}
    with psycopg.connect(database.url) as connection:
        connection.execute("UPDATE trading_pairs SET enabled = true, override_by = 'me', override_reason = 'practice'")
    asked = sep(environment, "train", "EUR_USD", "--spread-pips", "0.1")
    assert (asked.returncode, len(asked.stderr.strip().splitlines())) == (6, 1), asked.stderr
    assert "EUR_USD may trade now" in asked.stderr
    assert "--yes" in asked.stderr
    assert count(database, "SELECT count(*) FROM research_ledger") == 2, "nothing was begun"
    done = sep(environment, "train", "EUR_USD", "--spread-pips", "0.1", "--yes")
    assert done.returncode == 0, done.stderr
    assert "account, practice" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    status = sep(environment, "status")
    assert status.returncode == 0, status.stderr
    assert "Data until" in status.stdout
    (pair,) = json.loads(sep(environment, "status", "--json").stdout)["pairs"]
    assert (pair["live"]["trades"], pair["live"]["expectancy_r"]) == (0, None)


def test_a_killed_run_goes_on(environment: dict[str, str], database: Database) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sep_trader", *TRAIN_ALL],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as running:  # fmt: skip
        for _ in range(1_200):
            if count(database, "SELECT count(*) FROM research_ledger WHERE kind = 'FINISHED'"):
                break
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGKILL)
    finished = count(database, "SELECT count(*) FROM research_ledger WHERE kind = 'FINISHED'")
    assert finished >= 1
    again = sep(environment, *TRAIN_ALL)
    assert again.returncode == 0, again.stderr
    results = json.loads(again.stdout)["results"]
    assert [one["pair"] for one in results] == ["EUR_USD", "GBP_USD"]
    assert [one["device"] for one in results].count("kept") == finished
    assert count(database, "SELECT count(*) FROM research_ledger WHERE kind = 'FINISHED'") == 2
    # Everything is finished now: nothing is computed, unless somebody asks for it.
    third = json.loads(sep(environment, *TRAIN_ALL).stdout)["results"]
    assert [one["device"] for one in third] == ["kept", "kept"]
    assert [one["verdict"] for one in third] == [one["verdict"] for one in results]
    fourth = json.loads(sep(environment, *TRAIN_ALL, "--again").stdout)["results"]
    assert "kept" not in {one["device"] for one in fourth}


def test_a_design_is_registered_and_trained(environment: dict[str, str]) -> None:
    options = ("--set", "confirm=none,M5+M15")
    done = sep(environment, "research", "register", "EUR_USD", *options, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["design"], found["pair"]) == ("registration-1", "EUR_USD")
    assert found["head"].startswith("1:")
    again = sep(environment, "research", "register", "EUR_USD", *options)
    assert (again.returncode, "registration-1" in again.stderr) == (2, True)
    trained = sep(environment, "train", "EUR_USD", "--spread-pips", "0.1", *options, "--json")
    assert trained.returncode == 0, trained.stderr
    shown = json.loads(sep(environment, "research", "ledger", "show", "--json").stdout)
    assert [(one["kind"], one["design"]) for one in shown] == [
        ("REGISTERED", "registration-1"), ("BEGUN", "registration-1"), ("FINISHED", "registration-1"),
    ]  # fmt: skip
    assert json.loads(sep(environment, "research", "ledger", "verify", "--json").stdout)["ok"]
