"""A deadline of the client for its statements, and what is called absence of the server: findings C1 and C2."""

import time

import psycopg
import pytest

from sep_trader.errors import StoreError, StoreUnavailable
from sep_trader.store.database import Database, absent


def test_a_transaction_that_takes_too_long_is_cut_and_the_next_one_works(database: Database) -> None:
    with Database(database.url, deadline_s=0.5, timeout_s=2.0) as own:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable), own.transaction() as connection:
            connection.execute("SELECT pg_sleep(30)")
        assert time.monotonic() - began < 5
        with own.transaction() as connection:
            assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_a_transaction_in_time_is_not_cut_later(database: Database) -> None:
    with Database(database.url, deadline_s=0.3) as own, own.transaction() as connection:
        connection.execute("SELECT 1")
    with Database(database.url, deadline_s=0.3) as own:
        for _ in range(5):
            with own.transaction() as connection:
                connection.execute("SELECT pg_sleep(0.1)")


def test_a_refusal_of_the_server_is_not_its_absence(database: Database) -> None:
    with pytest.raises(StoreError, match="statement timeout") as caught, database.transaction() as connection:
        connection.execute("SET LOCAL statement_timeout = 50")
        connection.execute("SELECT pg_sleep(5)")
    assert not isinstance(caught.value, StoreUnavailable)
    assert absent(psycopg.OperationalError("connection is lost"))
    assert absent(psycopg.errors.AdminShutdown())
    assert not absent(psycopg.errors.DiskFull())
    assert not absent(psycopg.errors.DeadlockDetected())


def test_a_server_that_is_not_there_is_heard_of_at_the_first_transaction() -> None:
    own = Database("postgresql://nobody@127.0.0.1:1/none", timeout_s=0.3, deadline_s=0.3, probe=False)
    with own, pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1/none"), own.transaction():
        pass
