"""`sep doctor`, `sep config show` and `sep status`: what a person asks first."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sep_trader.store.database import Database


def sep(environment: dict[str, str], folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sep_trader", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def environment(database: Database, tmp_path: Path) -> dict[str, str]:
    """That of the command on the test's database, with nothing else set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEP_", "OANDA_"))}
    # Whether a machine's clock is kept is this machine's matter: a program that says yes.
    program = tmp_path / "keeps" / "timedatectl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho yes\n")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    return {**kept, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(tmp_path), "PATH": path}


def checks(done: "subprocess.CompletedProcess[str]") -> dict[str, dict[str, object]]:
    found = json.loads(done.stdout)
    assert all(set(one) == {"check", "ok", "detail", "fix"} for one in found)
    assert all(one["ok"] or one["fix"] for one in found), "each finding says what to do"
    return {one["check"]: one for one in found}


def test_what_is_missing_is_named_with_its_fix(environment: dict[str, str], tmp_path: Path, database: Database) -> None:
    done = sep(environment, tmp_path, "doctor", "--json")
    assert done.returncode == 1, done.stderr
    found = checks(done)
    assert [name for name, one in found.items() if not one["ok"]] == ["broker token"]
    assert "OANDA_API_KEY" in str(found["broker token"]["fix"])
    assert {"settings", "database", "migrations", "extension", "clock", "disk /", "port", "card"} <= set(found)
    assert "WRONG broker token" in sep(environment, tmp_path, "doctor").stdout
    with database.transaction() as connection:
        (info,) = connection.execute("SELECT timescaledb FROM v_database_info").fetchall()
    assert (str(info["timescaledb"]) in str(found["extension"]["detail"])) == (info["timescaledb"] is not None)


@pytest.mark.parametrize(("said", "ok"), [("yes", True), ("no", False), ("", True)])
def test_a_clock_that_nobody_keeps_is_a_finding(
    environment: dict[str, str], tmp_path: Path, said: str, ok: bool
) -> None:
    program = tmp_path / "bin" / "timedatectl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho {said}\n")
    program.chmod(0o755)
    found = checks(sep(environment | {"PATH": f"{program.parent}:{os.environ['PATH']}"}, tmp_path, "doctor", "--json"))
    assert found["clock"]["ok"] is ok
    assert ("cannot be told" in str(found["clock"]["detail"])) == (said == "")


def test_a_file_that_others_can_read_and_a_broker_out_of_reach(environment: dict[str, str], tmp_path: Path) -> None:
    secrets = tmp_path / "OANDA.env"
    secrets.write_text(
        "OANDA_API_KEY=x\nOANDA_ACCOUNT_ID=1\nOANDA_ENVIRONMENT=custom\nOANDA_API_URL=http://127.0.0.1:9\n"
    )
    secrets.chmod(0o644)
    found = checks(sep(environment, tmp_path, "doctor", "--json"))
    assert [name for name, one in found.items() if not one["ok"]] == ["permissions of OANDA.env", "broker"]
    assert str(found["permissions of OANDA.env"]["fix"]).startswith("chmod 600")
    shown = json.loads(sep(environment, tmp_path, "config", "show", "--json").stdout)
    by_name = {one["setting"]: one for one in shown}
    assert (by_name["OANDA_API_KEY"]["value"], by_name["OANDA_API_KEY"]["source"]) == ("set, not shown", "OANDA.env")
    assert by_name["SEP_HOME"]["source"] == "environment"
    assert by_name["SEP_MAX_OPEN_TRADES"]["source"] == "default"
    assert "postgres" not in json.dumps(shown)


def test_a_database_out_of_reach_is_a_finding(environment: dict[str, str], tmp_path: Path) -> None:
    away = environment | {"SEP_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}
    found = checks(sep(away, tmp_path, "doctor", "--json"))
    assert not found["database"]["ok"]
    wrong = sep(environment | {"SEP_MAX_OPEN_TRADES": "none"}, tmp_path, "doctor", "--json")
    assert [one["check"] for one in json.loads(wrong.stdout)] == ["settings"]
    assert wrong.returncode == 1


def test_the_overview_says_what_is_wrong_and_what_the_account_holds(
    environment: dict[str, str], tmp_path: Path, database: Database
) -> None:
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO broker_accounts (account_id, transaction_id, balance, nav, margin_used, margin_available, "
            "nav_high, day, day_nav, week, week_nav, trades, seen_at) "
            "VALUES ('101', 7, 100000, 99650.5, 1200, 98450.5, 100200, "
            "'2026-01-05', 99900, '2026-01-05', 100000, '[]', now() - interval '20 minutes')"
        )
    told = json.loads(sep(environment, tmp_path, "status", "--json").stdout)
    (account,) = told["accounts"]
    assert (account["balance"], account["nav"], account["open_pl"]) == ("100000.0000", "99650.5000", "-349.5000")
    assert account["day_pl"] == "-249.5000"
    assert [(one["severity"], one["detail"]) for one in told["alarms"]] == [
        ("info", "no trader has ever run here"),
        ("info", "trading is HALTED: nobody has turned trading on yet (by installation)"),
        ("info", "account 101 was last seen 20 min ago"),
    ]
    shown = sep(environment, tmp_path, "status").stdout
    assert "note account 101 was last seen 20 min ago" in shown
    assert "note no trader has ever run here" in shown
    assert "balance 100,000.00, NAV 99,650.50, open P&L -349.50" in " ".join(shown.split())
