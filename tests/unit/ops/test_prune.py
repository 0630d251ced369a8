"""Which backups are deleted: pure, so the rules are checked on any history."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sep_trader.ops.backup import Backup, to_prune
from sep_trader.ops.census import Server

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
SERVER = Server(15, "15.1", None, 1, [], "sep_trading")


def backup(hours: int, size: int = 1, verified: bool = False, fault: str | None = None) -> Backup:
    at = START + timedelta(hours=hours)
    verified_at = at if verified else None
    return Backup(Path(f"sep_trading_{hours}.sql.zst"), at, size, "", "", SERVER, {}, verified_at, fault)


def kept(backups: list[Backup], **options: int) -> list[Backup]:
    gone = {b.name for b in to_prune(backups, **{"budget": 10**9, **options})}
    return [b for b in backups if b.name not in gone]


def test_a_year_of_days_leaves_two_weeks_of_days_and_eight_weeks() -> None:
    days = [backup(24 * n) for n in range(365)]
    remaining = kept(days)
    assert remaining[-14:] == days[-14:]
    weeks = {b.created_at.isocalendar()[:2] for b in remaining}
    assert len(weeks) == 8
    assert len(remaining) == 14 + (8 - len({b.created_at.isocalendar()[:2] for b in days[-14:]}))


def test_of_several_a_day_the_newest_is_kept() -> None:
    assert kept([backup(0), backup(5), backup(24)]) == [backup(5), backup(24)]


def test_the_oldest_go_until_the_rest_fits() -> None:
    days = [backup(24 * n, size=10) for n in range(5)]
    assert kept(days, budget=30) == days[-3:]


def test_the_newest_good_restore_is_never_deleted() -> None:
    days = [backup(24 * n, size=10, verified=n in (1, 3), fault="broken" if n == 3 else None) for n in range(30)]
    assert kept(days, budget=1) == [days[1], days[-1]]


@given(
    st.lists(
        st.tuples(st.integers(0, 3000), st.integers(1, 100), st.booleans()), unique_by=lambda t: t[0], max_size=60
    ),
    st.integers(0, 1000),
)
def test_what_is_kept(history: list[tuple[int, int, bool]], budget: int) -> None:
    backups = [backup(hours, size, verified) for hours, size, verified in history]
    remaining = kept(backups, budget=budget)
    if not backups:
        assert remaining == []
        return
    newest = max(backups, key=lambda b: b.created_at)
    proven = [b for b in backups if b.verified_at]
    precious = {newest.name} | ({max(proven, key=lambda b: b.created_at).name} if proven else set())
    assert precious <= {b.name for b in remaining}
    assert sum(b.bytes for b in remaining) <= budget or {b.name for b in remaining} == precious
    assert len(remaining) <= 14 + 8 + 2
