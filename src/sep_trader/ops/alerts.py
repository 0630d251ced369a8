"""Telling somebody: an alarm once, again after hours while it lasts, and when it is over; never too often an hour.

Whoever is told is a notifier; a message that does not arrive is tried again at the next look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sep_trader.ops.alarms import Alarm, GraveLine
from sep_trader.ops.finding import Severity
from sep_trader.store.database import Connection
from sep_trader.store.queries import queries

AGAIN = timedelta(hours=6)
MOST_AN_HOUR = 20
"""Messages; the last one says that more are held back."""


class Notifier(Protocol):
    """Where messages go."""

    def send(self, title: str, body: str, severity: Severity) -> bool:
        """Send a message; whether every target took it."""


@dataclass(frozen=True, slots=True)
class _State:
    """An alarm that is on."""

    alarm: str
    severity: Severity
    detail: str
    since: datetime
    told_at: datetime | None
    times: int


@dataclass(frozen=True, slots=True)
class Told:
    """What a look sent: titles of messages that arrived, and of those that did not."""

    arrived: list[str]
    failed: list[str]
    until: datetime | None
    """The time of the newest line of the log that needs no telling any more; None where nothing was told."""


def tell(
    connection: Connection,
    notifier: Notifier,
    alarms: Sequence[Alarm],
    lines: Sequence[GraveLine],
    now: datetime,
    host: str,
) -> Told:
    """Tell what is new, what lasts, what is over, and each grave line once. INFO alarms call nobody."""
    known = {one.alarm: one for one in queries.many(connection, "alert_states", _State)}
    sender = _Sender(connection, notifier, host)
    for alarm in (one for one in alarms if one.severity is not Severity.INFO):
        before = known.pop(alarm.key, None)
        worse = before is not None and before.severity is not Severity.CRITICAL and alarm.severity is Severity.CRITICAL
        again = before is not None and before.told_at is not None and now - before.told_at >= AGAIN and not alarm.once
        other = before is not None and alarm.once and before.detail != alarm.detail
        due = before is None or before.told_at is None or again or worse or other
        told = due and sender.send(alarm.severity, f"{alarm.key}: {_short(alarm.detail)}", alarm.detail)
        queries.execute(
            connection, "keep_alert", alarm=alarm.key, severity=alarm.severity, detail=alarm.detail, now=now, told=told
        )
    for gone in known.values():
        if gone.told_at is None or sender.send(Severity.INFO, f"{gone.alarm}: over", f"It was: {gone.detail}"):
            queries.execute(connection, "end_alert", alarm=gone.alarm)
    until = None
    for line in lines:
        # One that does not arrive is told again, and those after it.
        if not sender.send(Severity.CRITICAL, f"{line.event}: {_short(line.message)}", line.message):
            break
        until = line.time
    return Told(sender.arrived, sender.failed, until)


class _Sender:
    """Sends no more than is bearable."""

    def __init__(self, connection: Connection, notifier: Notifier, host: str) -> None:
        self._connection, self._notifier, self._host = connection, notifier, host
        self.arrived: list[str] = []
        self.failed: list[str] = []

    def send(self, severity: Severity, title: str, body: str) -> bool:
        """Send a message; whether it is done with: it arrived, or there were too many within the hour."""
        sent = queries.value(self._connection, "messages_lately", int)
        if sent >= MOST_AN_HOUR:
            return severity is not Severity.CRITICAL
        if sent == MOST_AN_HOUR - 1:
            body += f"\n{MOST_AN_HOUR} messages within an hour: further ones are held back."
        whole = f"[{severity.upper()}] {self._host} {title}"
        reached = self._notifier.send(whole, body, severity)
        queries.execute(self._connection, "note_message", severity=severity, title=whole, reached=reached)
        (self.arrived if reached else self.failed).append(whole)
        return reached


def _short(text: str) -> str:
    line = text.split("\n", 1)[0]
    return line if len(line) <= 90 else f"{line[:87]}..."
