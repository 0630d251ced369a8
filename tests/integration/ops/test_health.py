"""The health check on a real database: what it says of the trader, of a volume, and of a server that is away."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sep_trader.ops.health import Finding, examine
from sep_trader.store.database import Database


def trader(database: Database, state: str, silent: timedelta) -> Finding:
    """The finding about a trader that was last heard some time ago."""
    now = datetime.now(UTC)
    with database.transaction() as connection:
        connection.execute("DELETE FROM component_status")
        connection.execute(
            "INSERT INTO component_status (component, state, updated_at, details) VALUES ('trader', %s, %s, '{}')",
            [state, now - silent],
        )
    found = {f.alert: f for f in examine(lambda: Database(database.url, max_size=1), None, None, now=now)}
    assert found["database"].ok
    return found["trader"]


@pytest.mark.parametrize(
    ("state", "silent", "ok"),
    [("running", 4, True), ("running", 6, False), ("failed", 0, False), ("stopped", 60, True)],
)
def test_the_trader(database: Database, state: str, silent: int, ok: bool) -> None:
    assert trader(database, state, timedelta(minutes=silent)).ok is ok


def test_a_server_that_is_away_is_a_finding(tmp_path: Path) -> None:
    found = examine(
        lambda: Database(f"postgresql:///x?host={tmp_path}", max_size=1), tmp_path, tmp_path, now=datetime.now(UTC)
    )
    assert {f.alert: f.ok for f in found} == {"database": False, "backup": False, "disk": True}


def test_a_manifest_that_cannot_be_read_is_a_finding(database: Database, tmp_path: Path) -> None:
    (tmp_path / "sep_trading_20260101.manifest.json").write_text("{")
    found = examine(lambda: Database(database.url, max_size=1), tmp_path, None, now=datetime.now(UTC))
    (detail,) = (f.detail for f in found if f.alert == "backup" and not f.ok)
    assert "sep_trading_20260101.manifest.json is no manifest" in detail
