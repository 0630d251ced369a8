"""Who may trade a pair: enable, override, disable and retraining leave a row each."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from sep_trader.errors import InputError, NotAllowed
from sep_trader.research import rights
from sep_trader.store.database import Database
from sep_trader.store.queries import queries

RUN = (
    "INSERT INTO research_runs (id, pair, granularity, first_candle, last_candle, candles, data_hash, code_version,"
    " settings, seed, trials, verdict, reason, evidence) VALUES (gen_random_uuid(), 'EUR_USD', 'M1', now(), now(), 1,"
    " '', '', '{}', 1, 1, 'NOT_READY', 'test', '{}') RETURNING id"
)


@pytest.fixture
def trained(database: Database) -> Database:
    """A database with one model."""
    with database.transaction() as connection:
        run = connection.execute(RUN).fetchone()
        assert run is not None
        queries.execute(
            connection,
            "insert_model",
            id="m1",
            pair="EUR_USD",
            granularity="M1",
            run_id=run["id"],
            artifact=Jsonb({"costs": {"spread": {"source": "recorded"}}}),
        )
    return database


PROVEN = {"e_forward": 280.0, "threshold": 280.0}


def verdict(database: Database, name: str, account: dict[str, float] = PROVEN) -> None:
    with database.transaction() as connection:
        queries.execute(
            connection,
            "record_verdict",
            pair="EUR_USD",
            model_id="m1",
            verdict=name,
            reason=f"is {name}",
            reasons=Jsonb([]),
            account=Jsonb(account),
        )


def enable(database: Database, by: str, override: str | None = None) -> None:
    with database.transaction() as connection:
        queries.execute(
            connection, "enable_pair", pair="EUR_USD", override_by=by if override else None, override_reason=override,
            changed_by=by, change_reason=override or "READY",
        )  # fmt: skip


@pytest.mark.parametrize(("by", "who"), [(None, "login"), ("  ", "login"), (" Ada ", "Ada")])
@pytest.mark.parametrize("override", [False, True])
def test_whoever_enables_or_disables_is_recorded_by_name(
    trained: Database, by: str | None, who: str, override: bool
) -> None:
    """A READY pair needs no name, with --override or without; the login name stands in."""
    verdict(trained, "READY")
    with trained.transaction() as connection:
        assert not rights.enable(connection, "EUR_USD", live=True, user="login", by=by, override=override)
    with trained.transaction() as connection:
        assert rights.disable(connection, "EUR_USD", user="login", by=by)
    assert [(change, person) for change, _, _, person, _ in rows(trained)] == [("ENABLED", who), ("DISABLED", who)]


@pytest.mark.parametrize(("by", "why"), [(None, "why"), (" ", "why"), ("Ada", None), ("Ada", " ")])
def test_an_override_without_a_name_or_a_reason_is_refused(trained: Database, by: str | None, why: str | None) -> None:
    verdict(trained, "NOT_READY")
    with pytest.raises(InputError), trained.transaction() as connection:
        rights.enable(connection, "EUR_USD", live=False, user="login", by=by, why=why, override=True)
    assert rows(trained) == []


def test_no_override_on_a_live_account_and_none_without_asking(trained: Database) -> None:
    verdict(trained, "NOT_READY")
    for live, override in ((True, True), (False, False)):
        with pytest.raises(NotAllowed), trained.transaction() as connection:
            rights.enable(connection, "EUR_USD", live=live, user="login", by="Ada", why="why", override=override)
    assert rows(trained) == []


@pytest.mark.parametrize("account", [{}, {"e_forward": 279.9, "threshold": 280.0}])
def test_a_live_account_needs_proof_on_candles_after_the_release(trained: Database, account: dict[str, float]) -> None:
    verdict(trained, "READY", account)
    with pytest.raises(NotAllowed, match="NOT_PROVEN_LIVE"), trained.transaction() as connection:
        rights.enable(connection, "EUR_USD", live=True, user="login")
    with trained.transaction() as connection:
        assert not rights.enable(connection, "EUR_USD", live=False, user="login")


def rows(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        found = connection.execute("SELECT * FROM control_changes WHERE pair IS NOT NULL ORDER BY id").fetchall()
    return [(r["change"], r["before"], r["after"], r["changed_by"], r["reason"]) for r in found]


def test_each_change_of_a_right_is_a_row_and_retraining_keeps_them(trained: Database) -> None:
    verdict(trained, "NOT_READY")
    assert rows(trained) == [], "a verdict alone gives no right"
    enable(trained, "Ada", "a try on practice")
    verdict(trained, "NOT_READY")
    verdict(trained, "READY")
    enable(trained, "Ben")
    verdict(trained, "READY")
    verdict(trained, "NOT_READY")
    enable(trained, "Ben", "I know why")
    with trained.transaction() as connection:
        queries.execute(connection, "disable_pair", pair="EUR_USD", changed_by="Cleo", reason="enough")
    assert rows(trained) == [
        ("OVERRIDDEN", "disabled", "override", "Ada", "a try on practice"),
        ("DISABLED", "override", "disabled", "training", "retrained: NOT_READY, is NOT_READY"),
        ("ENABLED", "disabled", "enabled", "Ben", "READY"),
        ("DISABLED", "enabled", "disabled", "training", "retrained: NOT_READY, is NOT_READY"),
        ("OVERRIDDEN", "disabled", "override", "Ben", "I know why"),
        ("DISABLED", "override", "disabled", "Cleo", "enough"),
    ]


def test_an_override_that_becomes_ready_is_recorded_and_a_second_override_too(trained: Database) -> None:
    verdict(trained, "NOT_READY")
    enable(trained, "Ada", "first")
    enable(trained, "Ben", "second")
    verdict(trained, "READY")
    assert rows(trained) == [
        ("OVERRIDDEN", "disabled", "override", "Ada", "first"),
        ("OVERRIDDEN", "override", "override", "Ben", "second"),
        ("ENABLED", "override", "enabled", "training", "retrained: READY, is READY"),
    ]


@pytest.mark.parametrize("artifact", ["{}", '{"costs": {"spread": {"source": "unknown"}}}'])
def test_no_live_account_for_a_model_that_knew_no_spread(trained: Database, artifact: str) -> None:
    verdict(trained, "READY")
    with trained.transaction() as connection:
        connection.execute("UPDATE models SET artifact = %s", (artifact,))
    with trained.transaction() as connection, pytest.raises(NotAllowed, match="NO_SPREAD"):
        rights.enable(connection, "EUR_USD", live=True, user="login")
    with trained.transaction() as connection:
        assert not rights.enable(connection, "EUR_USD", live=False, user="login")
