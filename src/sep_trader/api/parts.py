"""What the API is given by the command line: a database, and what only other rooms know. It builds none of that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from sep_trader.states import RequestKind, RequestStatus
from sep_trader.store.database import Connection, Database
from sep_trader.store.storage import Usage

Rows = Sequence[Mapping[str, Any]]


class Ask(Protocol):
    """Ask the trader, and wait for its answer: the request's number, its status, and words."""

    def __call__(
        self, kind: RequestKind, *, by: str, why: str, pair: str | None = None, trade_id: int | None = None,
        everything: bool = False, setting: str | None = None, value: Decimal | None = None,
    ) -> tuple[int, RequestStatus, str]: ...  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one caller may ask. a second and at once, for who has a token and for who has none."""

    known_per_s: float = 600.0
    known_burst: int = 1_200
    unknown_per_s: float = 5.0
    unknown_burst: int = 40


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts. findings: the health check's, by name; backups: what is there, None where this process may not look.

    hosts: names by which this API may be called; empty: any (tests). public_status: `/api/status` answers everybody
    whether it is well, and nothing else.
    """

    database: Database
    measure_storage: Callable[[Connection], Usage]
    ask: Ask
    findings: Callable[[Connection, datetime], Rows]
    backups: Callable[[], Rows | None]
    settings_shown: Rows = ()
    hosts: frozenset[str] = frozenset()
    public_status: bool = False
    secure: bool = False
    """Whether it is reached by TLS only: cookies are for TLS then."""
    limits: Limits = field(default_factory=Limits)
