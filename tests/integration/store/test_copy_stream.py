"""Reading a COPY from the socket gives what libpq gives, and errors leave a connection usable, or closed."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sep_trader.cli.wiring import open_database
from sep_trader.errors import StoreUnavailable
from sep_trader.settings import load_settings
from sep_trader.store import copy_stream
from sep_trader.store.candle_wire import HEAD, TAIL
from sep_trader.store.database import Connection, Database

ROWS = "SELECT n, repeat('x', {}) AS t FROM generate_series(1, {}) n"


def by_socket(connection: Connection, query: str) -> bytes:
    pieces: list[bytes] = []
    copy_stream.read_copy(connection.pgconn, f"COPY ({query}) TO STDOUT (FORMAT BINARY)".encode(), pieces.append)
    return b"".join(pieces)


def by_libpq(connection: Connection, query: str) -> bytes:
    pieces: list[bytes] = []
    copy_stream._by_libpq(connection.pgconn, f"COPY ({query}) TO STDOUT (FORMAT BINARY)".encode(), pieces.append)
    return b"".join(pieces)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.session() as connection:
        assert connection.pgconn.host.startswith(b"/")
        yield connection


@pytest.mark.parametrize(
    "query",
    [
        ROWS.format("3", 0),
        ROWS.format("3", 1),
        ROWS.format("8", 100_000),
        ROWS.format("n % 7", 50_000),  # rows of many lengths
        ROWS.format("n * 700", 300),  # rows longer than what the server sends at once
        ROWS.format("3000000", 2),  # and than what is received at once
    ],
)
def test_the_socket_gives_what_libpq_gives(connection: Connection, query: str) -> None:
    expected = by_libpq(connection, query)
    assert by_socket(connection, query) == expected
    assert expected.startswith(HEAD)
    assert expected.endswith(TAIL)
    assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_notices_between_rows_are_passed_over(connection: Connection) -> None:
    connection.execute(
        "CREATE FUNCTION pg_temp.chatty(n int) RETURNS int LANGUAGE plpgsql AS"
        " $$ BEGIN IF n % 100 = 0 THEN RAISE NOTICE 'at %', n; END IF; RETURN n; END $$"
    )
    query = "SELECT pg_temp.chatty(n) FROM generate_series(1, 5000) n"
    assert by_socket(connection, query) == by_libpq(connection, query)


@pytest.mark.parametrize("read", [by_socket, by_libpq])
def test_an_error_before_or_among_the_rows(connection: Connection, read: Any) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable, match='relation "nowhere" does not exist'):
        read(connection, "SELECT * FROM nowhere")
    with pytest.raises(psycopg.errors.DivisionByZero, match="division by zero"):
        read(connection, "SELECT 1 / (90000 - n) FROM generate_series(1, 100000) n")
    assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_an_error_in_a_transaction_ends_that_only(database: Database) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable), database.transaction() as connection:
        connection.execute("INSERT INTO system_logs (level, component, event) VALUES ('info', 'ops', 'x')")
        by_socket(connection, "SELECT * FROM nowhere")
    with database.transaction() as connection:
        assert connection.execute("SELECT count(*) AS n FROM system_logs").fetchone() == {"n": 0}


@pytest.mark.parametrize("read", [by_socket, by_libpq])
def test_a_server_that_went_away(database: Database, read: Any) -> None:
    with pytest.raises(StoreUnavailable, match=r"terminat|closed the connection"), database.session() as connection:
        with database.session() as other:
            other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        for _ in range(2):
            read(connection, "SELECT 1")


def test_nobody_uses_a_connection_whose_answer_was_read_halfway(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(self: object, received: memoryview) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(copy_stream._Answer, "read", stopped)
        with pytest.raises(KeyboardInterrupt), database.transaction() as connection:
            pid = connection.info.backend_pid
            by_socket(connection, ROWS.format("8", 100_000))
    assert connection.closed
    with database.transaction() as connection:
        assert connection.info.backend_pid != pid
        assert len(by_socket(connection, ROWS.format("8", 10))) > 100


def test_over_a_network_libpq_reads(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the socket may be encrypted, it is not touched."""
    monkeypatch.setattr(socket, "socket", None)
    monkeypatch.setattr(copy_stream, "_on_unix_socket", lambda pgconn: False)
    assert len(by_socket(connection, ROWS.format("8", 10))) > 100


@pytest.mark.parametrize(("text", "way"), [("false", False), ("true", True)])
def test_the_setting_chooses_who_reads(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, way: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(copy_stream.Way, "socket", not way)
    monkeypatch.setenv("SEP_DATABASE_URL", database.url)
    monkeypatch.setenv("SEP_COPY_FROM_SOCKET", text)
    with open_database(load_settings()) as opened, opened.session() as connection:
        assert copy_stream.Way.socket is way
        monkeypatch.setattr(socket, "socket", None)  # whoever reads from the socket itself fails now
        if way:
            with pytest.raises(TypeError):
                by_socket(connection, "SELECT 1")
        else:
            assert by_socket(connection, "SELECT 1") == by_libpq(connection, "SELECT 1")
