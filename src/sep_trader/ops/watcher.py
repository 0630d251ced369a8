"""Looks again and again at what may be wrong, and tells it. It holds what one look must know of the one before."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sep_trader.errors import SepError
from sep_trader.ops import running, units
from sep_trader.ops.alarms import Alarm, grave_lines, of_findings
from sep_trader.ops.alerts import Notifier, Told, tell
from sep_trader.ops.expected import NO_UNITS, Expected
from sep_trader.ops.finding import Severity
from sep_trader.ops.health import Questions, of_folders
from sep_trader.store.database import Database
from sep_trader.store.queries import queries

_HEALTH_S = 30.0
_FIRST = timedelta(minutes=5)
"""Lines of the log from before the first look ever that are still told."""


@dataclass(slots=True)
class Watcher:
    """One watcher of one database. asked: as `examine` takes it. host: named in every message."""

    open_database: Callable[[], Database]
    notifier: Notifier
    asked: Questions
    host: str
    _examined_at: float = float("-inf")
    _found: list[Alarm] = field(default_factory=list)
    _expected: Expected = NO_UNITS
    _away: bool = False
    """Whether somebody was told that the database is out of reach: there is no table to keep that in."""

    def look(self, mono: float, now: datetime) -> Told:
        """Look once, and tell. mono: a steady clock, seconds."""
        if mono - self._examined_at >= _HEALTH_S:
            # The tables tell at every look.
            self._expected = units.expected(now)
            self._found = of_findings([*of_folders(self.asked, now), *units.of_machine(now, self._expected)])
            self._examined_at = mono
            with suppress(SepError), self.open_database() as database, database.transaction() as connection:
                queries.value(connection, "end_forgotten_readers", int)
        try:
            told = self._with_tables(now)
        except SepError as error:
            return self._without_tables(str(error))
        if self._away:
            self._away = not self.notifier.send(
                f"[INFO] {self.host} database: over", "It answers again.", Severity.INFO
            )
        return told

    def _with_tables(self, now: datetime) -> Told:
        with self.open_database() as database, database.transaction() as connection:
            since = queries.optional(connection, "alerts_until", datetime) or now - _FIRST
            lines = grave_lines(connection, since)
            found = of_findings(running.of_tables(connection, now, self._expected, self.asked.signals_h))
            told = tell(connection, self.notifier, [*self._found, *found], lines, now, self.host)
            queries.execute(connection, "mark_alerts", until=told.until or since)
            return told

    def _without_tables(self, cause: str) -> Told:
        if self._away:
            return Told([], [], None)
        title = f"[CRITICAL] {self.host} database"
        self._away = self.notifier.send(title, cause, Severity.CRITICAL)
        return Told([title], [], None) if self._away else Told([], [title], None)
