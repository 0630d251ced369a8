"""The verdict as a table: each condition with its figure, its limit and whether it holds, and information beside it.

Pure. Information never decides: it has no limit.
"""

from dataclasses import dataclass

from sep_trader.research.decay import AGAINST_LIMIT
from sep_trader.research.evidence import MIN_TRADES, STRESS, Checks, Evidence, trades_that_count
from sep_trader.research.spreads import Spreads
from sep_trader.research.standing import Accounts, Standing
from sep_trader.states import SpreadSource


@dataclass(frozen=True, slots=True)
class Condition:
    """A row. passed: None for what is information only, or cannot be told."""

    condition: str
    figure: str
    limit: str
    passed: bool | None


def verdict_table(
    evidence: Evidence, spreads: Spreads, standing: Standing, booked: Accounts | None, checks: Checks
) -> list[Condition]:
    """All conditions of a verdict, then what is information."""
    some = evidence.trades > 0
    against = None if booked is None else booked.against
    counted = trades_that_count(evidence, booked)
    wanted = f"at least {standing.threshold:,.0f}"
    return [
        Condition("spread", str(spreads), "known", spreads.source is not SpreadSource.UNKNOWN),
        Condition(
            f"pays at {STRESS} x spread",
            f"{evidence.stressed_expectancy:+.2f} pip" if some else "no trade",
            "above 0",
            evidence.stressed_expectancy > 0 if some else None,
        ),
        Condition("trades", f"{counted:,} out of sample", f"at least {MIN_TRADES}", counted >= MIN_TRADES),
        Condition("account, practice", f"{standing.e_value:.3g}", wanted, standing.enough),
        Condition("account, live", f"{standing.e_forward:.3g}", wanted, standing.basis == "forward"),
        Condition(
            "bet against 0.05 R",
            "explored" if against is None else f"{against:.3g}",
            f"below {AGAINST_LIMIT:.0f}",
            None if against is None else against < AGAINST_LIMIT,
        ),
        Condition("looks ahead", f"{checks.ahead} of {checks.cuts} cuts", "none", checks.ahead == 0),
        Condition("needs more warm-up", f"{checks.warm} of {checks.cuts} cuts", "none", checks.warm == 0),
        *_information(evidence, standing),
    ]


def _information(evidence: Evidence, standing: Standing) -> list[Condition]:
    def shown(value: float | None, spec: str) -> str:
        return "not told" if value is None else format(value, spec)

    rows = {
        "Student t, p": shown(evidence.p_value, ".3g"),
        "deflated Sharpe": shown(evidence.deflated_sharpe, ".2f"),
        "overfitting (PBO)": shown(evidence.pbo, ".0%"),
        "edge, mean / sd": shown(evidence.edge_sd, ".3f"),
        "same set in folds": shown(evidence.stability, ".0%"),
        "beyond the scale": f"{standing.guard_breaks}",
        "opens": "copies of closes: no gap ever passes a stop" if evidence.copied_opens else "their own",
    }
    return [Condition(name, figure, "", None) for name, figure in rows.items()]
