"""How the trader trades: the owner's limits and exits, and the spans of the control loop. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sep_trader.execution.exits import ExitRules
from sep_trader.risk.limits import RiskLimits
from sep_trader.risk.protections import CONSEQUENCES, Consequence, Protection


@dataclass(frozen=True, slots=True)
class TraderSettings:
    """How the trader trades. Spans in seconds of this machine's clock.

    pass_s: between two passes; idle_s: while flat and the market is closed. least_s: between two passes at least.
    unknown_patience_s: an order that the complete record does not hold is given up after it. unknown_counts_s: an order
    whose end is not known counts towards the limit of unknown orders after it. record_patience_s: a record with a hole
    halts trading after it. behind_patience_s: an account whose record ends before our books is another one after it,
    and not only an answer that lags. reuse_s: a signal is decided on a look that is no older. alarm_s: between two
    alarms that HALTED leaves trades open. status_s: between two signs of life.
    """

    environment: str
    live_allowed: bool = False
    limits: RiskLimits = field(default_factory=RiskLimits)
    exits: ExitRules = field(default_factory=ExitRules)
    consequences: Mapping[Protection, Consequence] = field(default_factory=lambda: CONSEQUENCES)
    pass_s: float = 1.0
    idle_s: float = 5.0
    least_s: float = 0.02
    unknown_patience_s: float = 30.0
    unknown_counts_s: float = 10.0
    record_patience_s: float = 60.0
    behind_patience_s: float = 10.0
    reuse_s: float = 2.0
    alarm_s: float = 300.0
    status_s: float = 2.0
    terms_s: float = 600.0
