"""Bad input: one line that says what and what to do, a non-zero exit code, nothing lost."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.candles import random_walk

from sep_trader.store import candles
from sep_trader.store.database import Database

SEP = [sys.executable, "-m", "sep_trader"]


def sep(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SEP_", "OANDA_"))}
    return subprocess.run([*SEP, *command], env={**clean, **environment}, capture_output=True, text=True, timeout=60)


def one_line(done: "subprocess.CompletedProcess[str]", code: int, *said: str) -> None:
    """The command failed with one line that holds every text in `said`, and without a traceback."""
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, len(lines)) == (code, 1), done.stderr
    for text in said:
        assert text in lines[0]


@pytest.fixture
def home(database: Database) -> dict[str, str]:
    return {"SEP_DATABASE_URL": database.url}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--device", "tpu"), "unknown device 'tpu' (one of auto, cpu, cuda)"),
        (("--device", "cuda"), "no CUDA device: "),
        (("--cluster", "http://somewhere"), "unknown cluster 'http://somewhere'"),
        (("--cluster", "tcp://127.0.0.1:1"), "no Dask scheduler at tcp://127.0.0.1:1"),
    ],
)
def test_a_device_or_cluster_that_is_not_there(
    home: dict[str, str], database: Database, options: tuple[str, str], said: str
) -> None:
    candles.load(database, random_walk(2_000))
    one_line(sep("train", "EUR_USD", *options, **home, CUDA_VISIBLE_DEVICES=""), 2, said)


@pytest.mark.parametrize("command", [("train", "EUR_XYZ"), ("enable", "euro"), ("disable", "EUR_EUR")])
def test_an_unknown_pair(home: dict[str, str], command: tuple[str, ...]) -> None:
    one_line(sep(*command, **home), 2, f"unknown pair '{command[1]}'", "EUR_USD")


def test_an_unreachable_database() -> None:
    url = "postgresql://someone:secret@127.0.0.1:1/sep_trading"
    done = sep("status", SEP_DATABASE_URL=url)
    one_line(done, 4, "127.0.0.1:1/sep_trading", "does not answer", "SEP_DATABASE_URL")
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "postgre://u:topsecret@127.0.0.1:1/db",
        "host=127.0.0.1 port=1 dbname=db user=u password=topsecret",
        "postgresql://127.0.0.1:1/db?password=topsecret",
        "postgresql://u:top%40topsecret@127.0.0.1:1/db",
    ],
)
def test_no_form_of_a_bad_database_address_shows_a_password(url: str) -> None:
    done = sep("status", SEP_DATABASE_URL=url)
    one_line(done, 4, "SEP_DATABASE_URL")
    assert "topsecret" not in done.stderr


def test_a_database_behind_on_migrations(database: Database, home: dict[str, str]) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)")
    one_line(sep("status", **home), 2, "migrations behind", "sep db migrate")


def test_a_wrong_token(home: dict[str, str], exchange_url: str) -> None:
    broker = {"OANDA_ENVIRONMENT": "custom", "OANDA_API_URL": exchange_url, "OANDA_ACCOUNT_ID": "101-001-0000001-001"}
    done = sep("trade", "flatten", "--by", "Ada", "--reason", "test", **home, **broker, OANDA_API_KEY="wrong")
    one_line(done, 5, "token", "OANDA_API_KEY")


def test_a_missing_token_and_account(home: dict[str, str]) -> None:
    one_line(sep("trade", "run", **home), 2, "no broker token", "OANDA_API_KEY")
    one_line(sep("trade", "run", **home, OANDA_API_KEY="x"), 2, "no broker account", "OANDA_ACCOUNT_ID")


def test_a_malformed_csv_row_is_listed_and_the_rest_is_kept(
    home: dict[str, str], database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "EUR_USD_M1.csv"
    file.write_text(
        "time,open,high,low,close,volume\n"
        "2024-01-02T00:00:00Z,1.10000,1.10010,1.09990,1.10005,5\n"
        "2024-01-02T00:01:00Z,1.10005,banana,1.09990,1.10000,5\n"
        "2024-01-02T00:02:00Z,1.10000,1.10010,1.09990,1.10005,5\n"
    )
    done = sep("data", "import", str(file), "--format", "csv", "--instrument", "EUR_USD", "--granularity", "M1", **home)
    assert done.returncode == 3
    rejected = Path(f"{file}.rejected.csv").read_text()
    assert "banana" in rejected
    assert "3" in rejected.splitlines()[1].split(","), "the line's number"
    with psycopg.connect(database.url) as connection:
        kept = connection.execute("SELECT count(*) FROM v_candles WHERE instrument = 'EUR_USD'").fetchone()
    assert kept == (2,)


def test_a_missing_file(home: dict[str, str]) -> None:
    done = sep("data", "import", "/nowhere/EUR_USD.csv", "--format", "csv", "--instrument", "EUR_USD", **home)
    one_line(done, 2, "/nowhere/EUR_USD.csv")
    one_line(sep("qfh", "metrics", "/nowhere.csv", "--json"), 2, "/nowhere.csv")


@pytest.mark.parametrize(
    "command",
    [
        ("serve", "--port"),
        ("demo", "--exit", "--port"),
        ("exchange", "serve", "--token", "t", "--account", "101-001-0000001-001", "--clock", "live", "--port"),
    ],
)
def test_a_port_in_use(home: dict[str, str], command: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        one_line(sep(*command, port, **home), 2, port, "--port")


def test_a_bad_setting(home: dict[str, str]) -> None:
    one_line(sep("status", **home, SEP_RISK_PER_TRADE="much"), 2, "SEP_RISK_PER_TRADE", "'much'")
    one_line(sep("status", **home, SEP_STORAGE_BUDGET_GB="abc"), 2, "storage_budget_gb")


def test_the_live_address_under_another_name(home: dict[str, str]) -> None:
    live = {"OANDA_API_URL": "https://api-fxtrade.oanda.com", "OANDA_ENVIRONMENT": "custom"}
    done = sep("trade", "run", **home, **live, OANDA_API_KEY="x", OANDA_ACCOUNT_ID="1")
    one_line(done, 2, "OANDA's live address", "OANDA_ENVIRONMENT=live")


def test_the_switch_wants_a_name_and_a_reason(home: dict[str, str], database: Database) -> None:
    one_line(sep("trade", "state", "active", **home), 2, "--by NAME --reason TEXT")
    one_line(sep("trade", "state", "on", "--by", "me", "--reason", "x", **home), 2, "unknown trading state 'on'")
    with psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT state FROM trading_state").fetchone() == ("HALTED",)


def test_no_override_on_a_live_account(home: dict[str, str], database: Database, trained: Any) -> None:
    override = ("enable", "EUR_USD", "--override", "--by", "me", "--reason", "greed")
    one_line(sep(*override, **home, OANDA_ENVIRONMENT="live"), 6, "no override on a live account")
    one_line(sep("enable", "EUR_USD", **home), 6, "NOT READY")
    one_line(sep("enable", "EUR_USD", "--override", **home), 2, "--by NAME --reason TEXT")
    assert sep(*override, **home).returncode == 0
    with psycopg.connect(database.url) as connection:
        row = connection.execute("SELECT enabled, override_by, override_reason FROM trading_pairs").fetchone()
    assert row == (True, "me", "greed")


def test_debug_shows_the_traceback() -> None:
    done = sep("--debug", "train", "EUR_XYZ")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
