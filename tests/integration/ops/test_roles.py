"""Least privilege: what each database role may and may not do, statement by statement, on a real server."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from sep_trader.ops.programs import postgres_program
from sep_trader.store.database import Database

ROLES_SQL = Path(__file__).parents[3] / "deploy/roles/postgres/files/roles.sql"
ROLES = ("sep_owner", "sep_migrate", "sep_trader", "sep_report", "sep_backup", "sep_watch", "sep_control")
ASK = "INSERT INTO trading_requests (kind, account_id, requested_by, reason) VALUES ('halt', '1', 'a', 'b')"
ALLOWED = [
    ("sep_trader", "SELECT * FROM v_open_trades"),
    ("sep_trader", "INSERT INTO trading_pairs (pair) VALUES ('EUR_USD')"),
    ("sep_trader", "UPDATE trading_state SET state = 'HALTED'"),
    ("sep_trader", "UPDATE trade_executions SET reason = 'x'"),
    ("sep_trader", "INSERT INTO system_logs (level, component, event) VALUES ('info', 'trader', 'x')"),
    ("sep_trader", "CREATE TEMP TABLE staging (x int)"),
    ("sep_report", "SELECT * FROM v_daily_performance"),
    ("sep_report", "SELECT * FROM trading_signals"),
    ("sep_watch", "SELECT * FROM v_open_trades"),
    ("sep_watch", "DELETE FROM alert_states"),
    ("sep_watch", "INSERT INTO alert_messages (severity, title, reached) VALUES ('info', 'x', true)"),
    ("sep_watch", ASK),
    ("sep_control", ASK),
    ("sep_control", "SELECT status, answer FROM trading_requests"),
    ("sep_backup", "SELECT * FROM trade_executions"),
    ("sep_backup", "SELECT * FROM pg_stat_archiver"),
    ("sep_backup", "SELECT pg_export_snapshot()"),
    ("sep_migrate", "CREATE TABLE a_new_one (x int)"),
    ("sep_migrate", "DELETE FROM market_candles"),
]
REFUSED = [
    ("sep_trader", "DELETE FROM trade_executions"),
    ("sep_trader", "DELETE FROM system_logs"),
    ("sep_trader", "UPDATE system_logs SET message = 'nothing happened'"),
    ("sep_trader", "UPDATE broker_transactions SET amount = 0"),
    ("sep_trader", "UPDATE bundle_receipts SET signer = 'me'"),
    ("sep_trader", "UPDATE control_changes SET changed_by = 'somebody else'"),
    ("sep_trader", "DELETE FROM control_changes"),
    ("sep_trader", "UPDATE research_runs SET trials = 1"),
    ("sep_trader", "UPDATE research_ledger SET body = '{}'"),
    ("sep_trader", "DELETE FROM research_ledger"),
    ("sep_trader", "TRUNCATE trading_signals"),
    ("sep_trader", "DROP TABLE trading_signals"),
    ("sep_trader", "ALTER TABLE trading_signals ADD x int"),
    ("sep_trader", "CREATE TABLE mine (x int)"),
    ("sep_trader", "INSERT INTO schema_migrations VALUES (9999, 'x', 'x')"),
    ("sep_trader", "SET ROLE sep_owner"),
    ("sep_trader", "COPY trading_pairs TO PROGRAM 'true'"),
    ("sep_report", "INSERT INTO trading_pairs (pair) VALUES ('EUR_USD')"),
    ("sep_report", "SET default_transaction_read_only = off; UPDATE trading_state SET state = 'ACTIVE'"),
    ("sep_report", "SET ROLE sep_trader"),
    ("sep_report", "CREATE TEMP TABLE x (x int)"),
    ("sep_watch", "UPDATE trading_state SET state = 'ACTIVE'"),
    ("sep_watch", "UPDATE trading_requests SET status = 'DONE', answered_at = now()"),
    ("sep_watch", "INSERT INTO trading_signals (pair) VALUES ('EUR_USD')"),
    ("sep_control", "UPDATE trading_state SET state = 'HALTED'"),
    ("sep_control", "UPDATE trading_requests SET answer = 'x'"),
    ("sep_control", "DELETE FROM trading_requests"),
    (
        "sep_control",
        "INSERT INTO trading_requests (kind, account_id, requested_by, reason, status, answered_at)"
        " VALUES ('halt', '1', 'a', 'b', 'DONE', now())",
    ),
    ("sep_control", "SELECT * FROM trade_executions"),
    ("sep_control", "SELECT * FROM api_tokens"),
    ("sep_backup", "SET default_transaction_read_only = off; DELETE FROM trade_executions"),
    ("sep_backup", "SET default_transaction_read_only = off; CREATE TABLE public.x (x int)"),
    ("sep_migrate", "CREATE ROLE another"),
    ("sep_migrate", "SELECT pg_read_file('PG_VERSION')"),
]


@pytest.fixture(scope="module")
def server(new_database_on: Callable[[str], AbstractContextManager[Database]]) -> Iterator[str]:
    """Address of a database whose rights are those of a droplet."""
    with new_database_on("embedded") as database:
        apply(database.url, "roles")
        with psycopg.connect(database.url, autocommit=True) as connection:
            try:
                named = "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                for name, kind in connection.execute(f"{named} AND relkind IN ('r', 'v')").fetchall():
                    connection.execute(f"ALTER {'VIEW' if kind == 'v' else 'TABLE'} {name} OWNER TO sep_owner")
                apply(database.url, "grants")
                yield database.url
            finally:
                for role in reversed(ROLES):
                    connection.execute(f"DROP OWNED BY {role} CASCADE")
                for role in reversed(ROLES):
                    connection.execute(f"DROP ROLE {role}")


def apply(url: str, part: str) -> str:
    with psycopg.connect(url) as connection:
        major = connection.info.server_version // 10_000
    psql = [str(postgres_program("psql", major)), "-XAtq", "-d", url, "-v", f"part={part}", "-f", str(ROLES_SQL)]
    done = subprocess.run(psql, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_as(server: str, role: str, statement: str) -> None:
    """Run the statement as if the role had connected, and undo it."""
    url = urlsplit(server)
    address = url._replace(netloc=f"{role}:@{url.netloc.rpartition('@')[2]}").geturl()
    with psycopg.connect(address) as connection:
        connection.execute(statement.encode())
        connection.rollback()


@pytest.mark.parametrize(("role", "statement"), ALLOWED)
def test_allowed(server: str, role: str, statement: str) -> None:
    run_as(server, role, statement)


@pytest.mark.parametrize(("role", "statement"), REFUSED)
def test_refused(server: str, role: str, statement: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
        run_as(server, role, statement)


def test_a_table_made_later_has_the_same_rights(server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SET ROLE sep_owner; CREATE TABLE made_later (x int); RESET ROLE")
    run_as(server, "sep_trader", "INSERT INTO made_later VALUES (1)")
    run_as(server, "sep_report", "SELECT * FROM made_later")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run_as(server, "sep_trader", "DELETE FROM made_later")


def test_applying_it_again_makes_nothing(server: str) -> None:
    assert apply(server, "roles") == ""
    assert apply(server, "grants") == ""


def test_a_trader_can_ask_whether_the_schema_is_current(server: str) -> None:
    from sep_trader.store.migrations import pending

    url = urlsplit(server)
    for role in ("sep_trader", "sep_report", "sep_backup"):
        address = url._replace(netloc=f"{role}:@{url.netloc.rpartition('@')[2]}").geturl()
        with Database(address, max_size=1) as database:
            assert pending(database) == []


def test_the_web_process_asks_by_its_own_role(server: str) -> None:
    from sep_trader.execution.asking import ask_and_wait
    from sep_trader.states import RequestKind, RequestStatus

    with psycopg.connect(server) as connection:
        connection.execute("INSERT INTO component_status (component, state, details)"
                           " VALUES ('trader', 'running', '{\"account\": \"7\"}')")  # fmt: skip
    url = urlsplit(server)
    for role in ("sep_control", "sep_watch"):
        address = url._replace(netloc=f"{role}:@{url.netloc.rpartition('@')[2]}").geturl()
        with Database(address, max_size=1) as database:
            reply = ask_and_wait(database, RequestKind.HALT, by="me", why="a test", patience_s=0)
        assert reply.status is RequestStatus.NEW
