"""When backups raise an alarm: pure, a case a rule."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sep_trader.ops.backup import Backup
from sep_trader.ops.census import Server
from sep_trader.ops.health import of_backups, of_drill

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SERVER = Server(15, "15.1", None, 1, [], "sep_trading")


def backup(hours_ago: float, tested_hours_ago: float | None = None, fault: str | None = None) -> Backup:
    made = NOW - timedelta(hours=hours_ago)
    tested = None if tested_hours_ago is None else NOW - timedelta(hours=tested_hours_ago)
    return Backup(Path(f"sep_trading_{hours_ago:.0f}.sql.zst"), made, 1, "", "", SERVER, {}, tested, fault)


@pytest.mark.parametrize(
    ("backups", "wrong"),
    [
        ([], {"backup": "there is none"}),
        ([backup(10, 1)], {}),
        ([backup(26, 1)], {}),
        ([backup(26.1, 1)], {"backup": "the newest is 26.1 h old"}),
        ([backup(10), backup(34, 2)], {}),
        ([backup(10), backup(8 * 24, 8 * 24)], {}),
        ([backup(10), backup(9 * 24, 8 * 24 + 1)], {"backup_verified": "restored and equal 8.0 days ago"}),
        ([backup(10), backup(7 * 24)], {}),
        ([backup(10), backup(9 * 24)], {"backup_verified": "no restore was tested yet"}),
        ([backup(10, 1, "models is missing")], {"backup_verified": "models is missing"}),
        # The newest test counts, not the newest backup's.
        ([backup(10, 5), backup(34, 1, "models is missing")], {"backup_verified": "models is missing"}),
        ([backup(10, 1), backup(34, 5, "models is missing")], {}),
    ],
)
def test_an_alarm_when_late_unverified_or_different(backups: list[Backup], wrong: dict[str, str]) -> None:
    found = {f.alert: f.detail for f in of_backups(backups, NOW) if not f.ok}
    assert found.keys() == wrong.keys()
    assert all(text in found[alert] for alert, text in wrong.items())


@pytest.mark.parametrize(
    ("told", "age_days", "ok", "words"),
    [
        ('{{"verified_at": "{}", "fault": null, "how": "restored"}}', 1, True, "restored 24.0 h ago"),
        ('{{"verified_at": "{}", "fault": null, "how": "restored"}}', 9, False, "restored 9.0 days ago"),
        ('{{"verified_at": "{}", "fault": "ledger_entries differs"}}', 1, False, "ledger_entries differs"),
        ('{{"verified_at": 7}}', 0, False, "cannot be read"),
        ("[]", 0, False, "cannot be read"),
        (None, 0, True, "no restore of the archive was tried yet"),
    ],
)
def test_the_restore_drill_of_the_archive(
    tmp_path: Path, told: str | None, age_days: int, ok: bool, words: str
) -> None:
    now = datetime.now(UTC)
    if told is not None:
        (tmp_path / "last.json").write_text(told.format((now - timedelta(days=age_days)).isoformat()))
    found = of_drill(tmp_path / "last.json", now)
    assert (found.alert, found.ok) == ("archive_verified", ok)
    assert words in found.detail
