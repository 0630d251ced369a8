"""A ledger that cannot be talked down: rows are only added, and what is changed behind its back is found."""

import json
import uuid
from dataclasses import replace

import numpy as np
import psycopg
import pytest
from tests.support.candles import random_walk

from sep_trader.errors import InputError
from sep_trader.research import job, ledger
from sep_trader.research.job import train
from sep_trader.research.ledger import Head, Kind
from sep_trader.research.rerun import rerun
from sep_trader.research.training import TrainingSpec
from sep_trader.store import candles as store
from sep_trader.store.database import Database

SPEC = TrainingSpec(device="cpu", slippage_pips=0.0, financing=0.0)


def trained(database: Database, times: int = 1) -> list[ledger.Entry]:
    walk = random_walk(14_000, 1)
    store.load(database, replace(walk, spread=np.zeros(len(walk))))
    for _ in range(times):
        train(database, ["EUR_USD"], SPEC, lambda *_: None)
    with database.transaction() as connection:
        return ledger.entries(connection)


def behind_its_back(database: Database, statement: str) -> None:
    """As a superuser who switches the triggers off."""
    with database.transaction() as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(statement)


def faults(database: Database, expected: Head | None = None) -> list[tuple[int, str]]:
    with database.transaction() as connection:
        return [(one.number, one.text) for one in ledger.verify(connection, expected)]


def test_a_run_leaves_two_rows_and_the_chain_is_whole(database: Database) -> None:
    begun, finished = trained(database)
    assert (begun.kind, finished.kind, begun.run_id) == (Kind.BEGUN, Kind.FINISHED, finished.run_id)
    assert (begun.number, begun.previous, finished.previous) == (1, "0" * 64, begun.hash)
    assert begun.content["trials"] == 24
    assert begun.content["data_hash"] == finished.content["data_hash"]
    assert finished.content["verdict"] == "NOT_READY"
    assert faults(database, Head(1, begun.hash)) == []


@pytest.mark.parametrize("table", ["research_ledger", "research_runs"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET pair = 'USD_JPY'", "TRUNCATE {} CASCADE"])
def test_no_role_changes_a_row(database: Database, table: str, statement: str) -> None:
    before = trained(database)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only added"), database.transaction() as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == {
            "rolsuper": True
        }
        connection.execute(statement.format(table))
    with database.transaction() as connection:
        assert ledger.entries(connection) == before


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE research_ledger SET body = replace(body, '24', '1') WHERE number = 1", (1, "was changed")),
        ("UPDATE research_ledger SET at = at - interval '1 day' WHERE number = 3", (3, "was changed")),
        ("DELETE FROM research_ledger WHERE number = 2", (3, "1 gone")),
        ("DELETE FROM research_ledger WHERE number = 4", (4, "it was longer")),
        ("DELETE FROM research_ledger", (4, "it was longer")),
        ("UPDATE research_runs SET verdict = 'READY'", (2, "not in research_runs as the ledger tells it")),
        ("DELETE FROM models; DELETE FROM research_runs", (2, "not in research_runs as the ledger tells it")),
    ],
)
def test_what_a_superuser_changes_is_found(database: Database, statement: str, found: tuple[int, str]) -> None:
    head = trained(database, 2)[-1]
    for one in statement.split(";"):
        behind_its_back(database, one)
    assert any(number == found[0] and found[1] in text for number, text in faults(database, Head(4, head.hash)))


def test_a_chain_that_was_made_anew_has_another_head(database: Database) -> None:
    old = trained(database)[-1]
    behind_its_back(database, "DELETE FROM research_ledger")
    with database.transaction() as connection:
        for number in range(2):
            ledger.add(connection, Kind.BEGUN, uuid.uuid4(), "EUR_USD", "-", {"trials": number})
    assert faults(database) == [], "by itself it is whole"
    assert faults(database, Head(2, old.hash)) == [(2, "has another hash than was noted")]


def test_a_run_that_breaks_off_counts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(database)

    def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(job, "walk_forward", broken)
        train(database, ["EUR_USD"], SPEC, lambda *_: None)
    (result,) = train(database, ["EUR_USD"], SPEC, lambda *_: None)
    assert result.evidence.trials == 3 * 24
    with database.transaction() as connection:
        (broke_off,) = [one for one in ledger.entries(connection) if one.number == 3]
    with pytest.raises(InputError, match="broke off"):
        rerun(database, broke_off.run_id)


def test_a_run_again_is_the_same_to_the_byte_and_other_candles_are_found(database: Database) -> None:
    begun, _ = trained(database)
    again = rerun(database, begun.run_id)
    assert (again.ok, again.trades_again) == (True, again.trades)
    assert again.trades > 0, "else nothing was compared"
    with database.transaction() as connection:
        connection.execute(
            "UPDATE market_candles SET high = high + 0.01 WHERE time = (SELECT max(time) - interval '1 day'"
            " FROM market_candles)"
        )
        assert len(ledger.entries(connection)) == 2, "a rerun tries nothing new"
    changed = rerun(database, begun.run_id)
    assert not changed.ok
    assert any("are not those of the run" in one for one in changed.differing)


def test_the_hash_is_that_of_the_row_as_it_is_stored(database: Database) -> None:
    (row, _) = trained(database)
    assert row.hashed() == row.hash
    assert replace(row, body=json.dumps(row.content)).hashed() != row.hash, "to the byte"
