"""Least privilege: what each database role may and may not do, statement by statement, on a real server."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from tests.integration.handover.test_hand_over import NOW, keys, source

from sep_trader.handover.bundle import export_bundle, import_bundle, last_receipt
from sep_trader.handover.format import read_bundle
from sep_trader.ops.programs import postgres_program
from sep_trader.store.database import Database
from sep_trader.store.queries import queries

__all__ = ["keys", "source"]

ROLES_SQL = Path(__file__).parents[3] / "deploy/roles/postgres/files/roles.sql"
ROLES = ("sep_owner", "sep_migrate", "sep_trader", "sep_report", "sep_backup", "sep_watch", "sep_control", "sep_import",
         "root")  # fmt: skip
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
    ("root", "SELECT * FROM v_open_trades"),
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
    ("sep_trader", "SELECT pg_advisory_lock(1)"),
    ("sep_migrate", "SELECT pg_advisory_lock(1)"),
    ("sep_import", "SELECT pg_advisory_xact_lock(1)"),
    ("sep_import", "SELECT * FROM v_open_trades"),
    ("sep_watch", "SELECT end_forgotten_readers()"),
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
    ("root", "SET default_transaction_read_only = off; UPDATE trading_state SET state = 'ACTIVE'"),
    ("root", "SET ROLE sep_trader"),
    ("root", "SELECT pg_advisory_lock(1)"),
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
    # The owner itself does not rewrite what happened.
    ("sep_migrate", "UPDATE ledger_entries SET amount = 0"),
    ("sep_migrate", "DELETE FROM broker_transactions"),
    ("sep_migrate", "TRUNCATE bundle_receipts"),
    ("sep_migrate", "DELETE FROM control_changes"),
    # Column by column.
    ("sep_trader", "UPDATE trading_signals SET side = -side"),
    ("sep_trader", "UPDATE trade_executions SET account_id = '1'"),
    ("sep_trader", "UPDATE models SET artifact = '{}'"),
    ("sep_trader", "UPDATE ledger_entries SET amount = 0"),
    ("sep_trader", "UPDATE schema_migrations SET checksum = 'x'"),
    # What needs no table.
    *[
        (role, f"SET default_transaction_read_only = off; SELECT {what}")
        for role in ("sep_report", "sep_backup", "sep_watch", "sep_control", "sep_import", "sep_trader", "root")
        for what in ("lo_from_bytea(0, 'x')", "lo_create(0)", "lo_creat(-1)")
    ],
    *[
        (role, f"SELECT {what}")
        for role in ("sep_report", "sep_backup", "sep_watch", "sep_control")
        for what in (
            "pg_advisory_lock(7305842218114302)",
            "pg_try_advisory_lock(1, 2)",
            "pg_advisory_xact_lock_shared(1)",
        )
    ],
    ("sep_import", "SELECT pg_advisory_lock(7305842218114302)"),
    ("sep_report", "SET temp_file_limit = -1"),
    ("sep_backup", "SELECT * FROM pg_authid"),
    ("sep_report", "SELECT end_forgotten_readers()"),
    # A hand-over brings what it brings.
    ("sep_import", "UPDATE trading_state SET state = 'ACTIVE'"),
    ("sep_import", "UPDATE trading_pairs SET latched_at = NULL"),
    ("sep_import", "UPDATE trading_signals SET status = 'NEW'"),
    ("sep_import", "INSERT INTO system_logs (level, component, event) VALUES ('info', 'trader', 'x')"),
    ("sep_import", "SELECT * FROM api_tokens"),
    ("sep_import", ASK),
    ("sep_import", "DELETE FROM trading_signals"),
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


def address_of(server: str, role: str) -> str:
    """The server's address for a role; the embedded one trusts every name."""
    url = urlsplit(server)
    return url._replace(netloc=f"{role}:@{url.netloc.rpartition('@')[2]}").geturl()


def connected(server: str, role: str) -> psycopg.Connection[Any]:
    """As if the role had connected."""
    return psycopg.connect(address_of(server, role))


def run_as(server: str, role: str, statement: str) -> None:
    """Run the statement as if the role had connected, and undo it."""
    with connected(server, role) as connection:
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

    for role in ("sep_trader", "sep_report", "sep_backup"):
        with Database(address_of(server, role), max_size=1) as database:
            assert pending(database) == []


def test_the_web_process_asks_by_its_own_role(server: str) -> None:
    from sep_trader.execution.asking import ask_and_wait
    from sep_trader.states import RequestKind, RequestStatus

    with psycopg.connect(server) as connection:
        connection.execute("INSERT INTO component_status (component, state, details)"
                           " VALUES ('trader', 'running', '{\"account\": \"7\"}')")  # fmt: skip
    for role in ("sep_control", "sep_watch"):
        with Database(address_of(server, role), max_size=1) as database:
            reply = ask_and_wait(database, RequestKind.HALT, by="me", why="a test", patience_s=0)
        assert reply.status is RequestStatus.NEW


OF_OTHERS = {
    "sep_migrate": {"clear_days", "clear_due_rollups", "delete_rollups", "delete_candles", "delete_logs", "forget_days",
                    "thin_equity"},
    # At home, where results are taken in, whoever owns the database runs everything.
    "sep_owner": {name for name in queries.all if name.startswith("take_")} | {"keep_results_receipt"},
    "sep_watch": {"keep_alert", "end_alert", "end_forgotten_readers", "mark_alerts"},
}  # fmt: skip
"""Named queries that change something and are not the trader's."""


def planned(connection: psycopg.Connection[Any], text: str) -> None:
    """Plan a query as its role would run it: that is when PostgreSQL checks each column. It is undone."""
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f"${numbers.setdefault(match.group(1), len(numbers) + 1)}"

    statement = re.sub(r"%\((\w+)\)s", number, text).replace("%%", "%")
    if statement.upper().startswith("CREATE TEMPORARY"):
        connection.execute(statement.encode())
        return
    if "candle_staging" in statement:
        connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS candle_staging (LIKE market_candles)")
    connection.execute(f"PREPARE checked AS {statement}".encode())
    nothing = f"({', '.join(['NULL'] * len(numbers))})" if numbers else ""
    connection.execute(f"EXPLAIN EXECUTE checked{nothing}".encode())


def test_each_query_may_be_run_by_the_role_whose_it_is(server: str) -> None:
    """PostgreSQL checks the rights, column by column, of every statement that it plans."""
    assert set().union(*OF_OTHERS.values()) <= queries.all.keys()
    refused = set()
    for name, query in queries.all.items():
        role = next((role for role, names in OF_OTHERS.items() if name in names), "sep_trader")
        with connected(server, role) as connection:
            try:
                planned(connection, query.text)
            except psycopg.errors.InsufficientPrivilege as error:
                refused.add(f"{name} as {role}: {str(error).splitlines()[0]}")
            connection.rollback()
    assert not refused


def test_a_bundle_arrives_by_the_role_that_may_do_nothing_else(
    server: str, source: Database, keys: dict[str, Path], tmp_path: Path
) -> None:
    """Signals, models, runs, pairs and candles, and then what an update of a pair needs."""
    with Database(address_of(server, "sep_import"), max_size=1) as target:
        for sequence in (1, 2):
            receipt = last_receipt(target)
            bundle = export_bundle(source, tmp_path, receipt, key=keys["ours"], now=NOW, candles=3)
            assert bundle is not None
            accepted = import_bundle(target, read_bundle(bundle, keys["signers"], now=NOW))
            assert (accepted.sequence, accepted.pairs) == (sequence, 1)
            assert accepted.candles == (3 if sequence == 1 else 0)
            with source.transaction() as connection:
                connection.execute("UPDATE trading_pairs SET enabled = false, updated_at = updated_at + interval '1 s'")


def test_a_forgotten_reader_is_ended(server: str) -> None:
    with connected(server, "sep_report") as reader, psycopg.connect(server, autocommit=True) as person:
        reader.execute("SET statement_timeout = 0; SELECT 1")
        # Two minutes pass.
        (text,) = person.execute("SELECT prosrc FROM pg_proc WHERE proname = 'end_forgotten_readers'").fetchone() or (
            "",
        )
        assert "interval '2 minutes'" in text
        person.execute(
            "CREATE FUNCTION pg_temp.at_once() RETURNS bigint LANGUAGE sql AS $$"
            + text.replace("interval '2 minutes'", "interval '0'")
            + "$$"
        )
        assert person.execute("SELECT pg_temp.at_once()").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            reader.execute("SELECT 1")
        assert person.execute("SELECT end_forgotten_readers()").fetchone() == (0,)
        reader.close()


def test_temporary_files_of_a_reader_are_limited(server: str) -> None:
    with connected(server, "sep_report") as reader, pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
        reader.execute("SELECT * FROM generate_series(1, 20000000) AS n ORDER BY n DESC OFFSET 19999999")
