"""The answer to one question of the health check, and how much it matters. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much it matters (alert_states.severity)."""

    INFO = "info"
    """Worth seeing; nobody is called for it."""
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question. `alert` names the runbook's section.

    severity of what is ok: INFO is worth showing, WARNING is worth telling once, None is neither.
    """

    alert: str
    ok: bool
    detail: str
    severity: Severity | None = None
