"""Faults by rule: which requests go wrong, when, and how."""

import random
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = (
    "drop_before",  # the connection breaks before anything has happened
    "drop_after",  # it happens, and the answer is lost
    "late_apply",  # the answer is lost, and it happens `seconds` later
    "delay",  # the answer comes `seconds` late
    "unauthorized",  # 401
    "rate_limited",  # 429, with Retry-After when `seconds` is given
    "bad_gateway",  # 502 with an HTML page, nothing has happened
    "bad_gateway_after",  # it happens, and the answer is a 502
    "truncated",  # the answer or the stream breaks in the middle of a chunk
    "stall",  # the stream stays open and says nothing more; a request is applied and never answered
    "heartbeats_only",  # the price stream has heartbeats, and no prices
    "stale_price",  # prices are `seconds` (60) older than they were
    "empty_book",  # prices without buckets; orders that meet it find no liquidity
    "sinceid_lag",  # the newest transactions are missing from sinceid for `seconds`
    "clock_skew",  # every time in the answer is `seconds` off
)


@dataclass(slots=True)
class Rule:
    """One rule. `route` is a prefix such as "POST orders" or "PUT trades/*/close"; empty fits every request.

    nth: the nth fitting request, counted from when the rule was set. probability: of each fitting request.
    times: how often it strikes at most. Neither nth nor probability: every fitting request.
    """

    kind: str
    route: str = ""
    nth: int | None = None
    probability: float | None = None
    times: int | None = None
    seconds: float = 0.0
    instrument: str | None = None
    id: int = 0
    seen: int = 0
    struck: int = 0


class BadRule(ValueError):
    """A rule that cannot be understood; the text says why."""


@dataclass(slots=True)
class Faults:
    """The rules in force; chance comes from a seed, so that a run can be repeated."""

    seed: int = 0
    rules: list[Rule] = field(default_factory=list)
    _next: int = 1
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311

    def add(self, raw: object) -> Rule:
        """Set a rule from its JSON form. Raises BadRule."""
        if not isinstance(raw, dict) or raw.get("kind") not in KINDS:
            raise BadRule(f"kind must be one of {', '.join(KINDS)}")
        known = {"kind", "route", "nth", "probability", "times", "seconds", "instrument"}
        if unknown := set(raw) - known:
            raise BadRule(f"unknown keys {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}")
        try:
            rule = Rule(
                kind=str(raw["kind"]),
                route=str(raw.get("route", "")),
                nth=None if raw.get("nth") is None else int(raw["nth"]),
                probability=None if raw.get("probability") is None else float(raw["probability"]),
                times=None if raw.get("times") is None else int(raw["times"]),
                seconds=float(raw.get("seconds", 0)),
                instrument=raw.get("instrument"),
                id=self._next,
            )
        except (TypeError, ValueError) as error:
            raise BadRule(str(error)) from None
        self._next += 1
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Lift all rules."""
        self.rules.clear()

    def strike(self, route: str) -> dict[str, Rule]:
        """The faults that a request meets, by kind; counts it for every rule that fits."""
        if not self.rules:
            return {}
        struck: dict[str, Rule] = {}
        for rule in self.rules:
            if not route.startswith(rule.route):
                continue
            rule.seen += 1
            if rule.times is not None and rule.struck >= rule.times:
                continue
            if rule.nth is not None and rule.seen != rule.nth:
                continue
            if rule.probability is not None and self._chance.random() >= rule.probability:
                continue
            rule.struck += 1
            struck.setdefault(rule.kind, rule)
        return struck

    def body(self) -> list[dict[str, Any]]:
        """The rules as JSON, with how often they were seen and have struck."""
        return [asdict(rule) for rule in self.rules]
