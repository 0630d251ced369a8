"""`sep backtest` as other programs call it."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from tests.support.candles import random_walk

from sep_trader.store import candles as store
from sep_trader.store.database import Database

KEYS = {"trades", "wins", "expectancy_pips", "net_pips", "profit_factor", "max_drawdown_pips", "first", "last"}
MINE = """
import numpy as np
from sep_trader.strategies import before, mean, strategy


@strategy(grid={"fast": [10, 20], "slow": [50, 100]}, warm_up=lambda fast, slow: slow + 1)
def cross(candles, fast=20, slow=100):
    side = np.sign(mean(candles.close, fast) - mean(candles.close, slow))
    return np.where(side * before(side) < 0, side, 0)
"""


@pytest.fixture
def environment(database: Database, tmp_path: Path) -> dict[str, str]:
    """That of the command on the test's database, with candles that have no spread."""
    walk = random_walk(14_000, 2)
    store.load(database, replace(walk, spread=np.full(len(walk), np.nan)))
    store.load(database, replace(random_walk(14_000, 3, pair="GBP_USD"), spread=np.full(len(walk), np.nan)))
    (tmp_path / "my.py").write_text(MINE)
    return {**os.environ, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(tmp_path)}


def sep(environment: dict[str, str], folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sep_trader", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_a_file_of_ones_own(environment: dict[str, str], tmp_path: Path) -> None:
    options = ("-g", "M1", "--strategy", "my.py:cross", "--set", "fast=20", "--set", "slow=60", "--spread-pips", "1.0")
    done = sep(environment, tmp_path, "backtest", "EUR_USD", *options, "--json", "--trades", "out.csv")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) >= KEYS
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["entry_time", "exit_time", "side", "entry_price", "exit_price", "exit_reason", "net_pips"]
    assert len(rows) == found["trades"] > 20
    assert sum(float(row["net_pips"]) for row in rows) == pytest.approx(found["net_pips"], abs=1e-6)
    assert rows[0]["entry_time"] == found["first"]
    # Dearer spreads bring less, and a part of the time has a part of the trades.
    dear = json.loads(sep(environment, tmp_path, "backtest", "EUR_USD", *options[:-1], "1.5", "--json").stdout)
    assert dear["expectancy_pips"] < found["expectancy_pips"]
    first, last = found["first"][:10], found["last"][:10]
    part = sep(environment, tmp_path, "backtest", "EUR_USD", *options, "--from", first, "--to", last, "--json")
    assert 0 < json.loads(part.stdout)["trades"] < found["trades"]
    shown = json.loads(sep(environment, tmp_path, "research", "ledger", "show", "--json").stdout)
    assert {(one["kind"], one["design"]) for one in shown} == {("EXPLORED", "-")}
    assert json.loads(sep(environment, tmp_path, "research", "ledger", "verify", "--json").stdout)["ok"]


def test_it_trains_and_signals_as_it_is(environment: dict[str, str], tmp_path: Path) -> None:
    options = ("-g", "M1", "--strategy", "my.py:cross", "--set", "slow=30,60", "--spread-pips", "0.5")
    done = sep(environment, tmp_path, "train", "EUR_USD", *options, "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    assert result["reasons"][-1] in ("EXPLORED", "BELOW_THRESHOLD")
    assert result["parameters"]["strategy"]["name"] == "cross"
    signals = sep(environment, tmp_path, "generate_signals", "--candles", "400", "--json")
    assert signals.returncode == 0, signals.stderr
    assert json.loads(signals.stdout)["signals"]
    for question in ("lookahead", "warmup"):
        asked = sep(environment, tmp_path, "research", question, result["model_id"])
        assert asked.returncode == 0, asked.stderr + asked.stdout
    # One pair's changed file is that pair's matter: the others' signals are made, and the exit code says not all are.
    other = sep(
        environment,
        tmp_path,
        "train",
        "GBP_USD",
        "-g",
        "M1",
        "--spread-pips",
        "0.1",
        "--set",
        "theta_run=0.3",
        "--json",
    )
    assert other.returncode == 0, other.stderr
    (tmp_path / "my.py").write_text(MINE + "# changed")
    part = sep(environment, tmp_path, "generate_signals", "--candles", "3000", "--json")
    assert part.returncode == 2
    assert "EUR_USD: " in part.stderr
    assert "was changed since it was trained" in part.stderr
    assert {one["pair"] for one in json.loads(part.stdout)["signals"]} == {"GBP_USD"}
    with psycopg.connect(environment["SEP_DATABASE_URL"]) as connection:
        connection.execute("DELETE FROM trading_pairs WHERE pair = 'GBP_USD'")
    changed = sep(environment, tmp_path, "generate_signals", "--json")
    assert (changed.returncode, len(changed.stderr.strip().splitlines())) == (2, 1)
    assert "was changed since it was trained" in changed.stderr


MISTAKES = [
    (("--set", "fats=3"), "cross has no parameter 'fats'"),
    (("--set", "fast"), "not a set of values: 'fast'"),
    (("--set", "fast=3,4"), "2 values of fast in one backtest"),
    (("--from", "2026-03-02", "--to", "2026-03-01"), "is not after"),
]


@pytest.mark.parametrize(("options", "said"), MISTAKES)
def test_a_mistake_is_one_line(
    environment: dict[str, str], tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    done = sep(environment, tmp_path, "backtest", "EUR_USD", "--strategy", "my.py:cross", *options)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    assert said in done.stderr
