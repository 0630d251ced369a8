"""What a pair's accounts are worth: its right to trade rests on them.

The history account H adds up the designs of the catalogue over all candles, the clean account K over those after each
design's release. M = (H + K) / 2 decides on practice, K on a live account.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import numpy as np

from sep_trader.market.clock import NEW_YORK, from_epoch
from sep_trader.research.account import LAMBDAS, Account, Bet, booked, scale_of
from sep_trader.research.catalogue import CATALOGUE, Design
from sep_trader.research.costs import CUT_OFF, CostModel
from sep_trader.research.decay import against_an_edge, trades_to_decide
from sep_trader.research.pricing import LEAST_SPREADS
from sep_trader.research.walk_forward import HeldOut
from sep_trader.research.weights import CROSSES, MAJORS, pair_weight, threshold

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of one design of a pair, as the ledger keeps them. until: the close of the newest candle booked.

    value, clean: over all candles, and over those after the design's release. kept, clean_kept: what is left of them
    where candles that had been booked were corrected to something better (1 where none were).
    """

    until: datetime
    value: float
    clean: float
    kept: float
    clean_kept: float
    trades: int
    guard_breaks: int
    growth: float
    """Mean logarithm that a trade adds to the richest component."""
    against: float
    """The account that bets against an edge of 0.05 R."""
    since: datetime | None = None
    """Trades before it do not count: the edge was gone then, and the account began anew."""

    def worth_of(self, design: Design) -> float:
        """What they bring to the pair: of a registered design, what came after its registration only."""
        return self.value if design in CATALOGUE else self.clean

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        since = None if self.since is None else self.since.isoformat()
        return {**asdict(self), "until": self.until.isoformat(), "since": since}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read `to_json`'s values."""
        since = data.get("since")
        times = {"until": datetime.fromisoformat(data["until"]), "since": since and datetime.fromisoformat(since)}
        return cls(**{**data, **times})


@dataclass(frozen=True, slots=True)
class Standing:
    """The account of a pair against what it must be worth.

    e_value: M, for practice; e_history: H; e_forward: K, for a live account. basis: `forward` where K is enough,
    `history` where only M is: nobody can prove that the catalogue was not chosen by these candles; `none`.
    """

    e_value: float
    e_history: float
    e_forward: float
    threshold: float
    basis: str
    guard_breaks: int
    booked_until: datetime | None

    @property
    def enough(self) -> bool:
        """Whether the pair may trade on practice by it."""
        return self.e_value >= self.threshold


def bets_of(pair: str, design: str, trades: HeldOut, costs: CostModel, granularity_s: int) -> list[Bet]:
    """The trades that the account bets on, in R. Everything but the outcome was known at the decision."""
    night = max(0.0, -float(np.min(costs.daily_rates)))
    bets = []
    for at in range(len(trades)):
        stop, spread = float(trades.stop[at]), float(trades.spread[at]) * costs.spread_multiplier
        if not math.isfinite(stop) or stop < LEAST_SPREADS * spread:
            continue
        nights = int(trades.horizon[at]) * granularity_s // _DAY_S + 1
        scale = scale_of(
            stop=stop,
            spread=spread,
            slippage=costs.slippage,
            most_nights=nights,
            night_rate=night,
            price=float(trades.price[at]),
            over_a_weekend=_reaches_a_weekend(int(trades.decided[at]), int(trades.horizon[at]) * granularity_s),
        )
        decided, left = from_epoch(int(trades.decided[at])), from_epoch(int(trades.left[at]))
        bets.append(Bet(decided, left, pair, design, float(trades.net[at]) / stop, scale))
    return bets


def _reaches_a_weekend(decided: int, seconds: int) -> bool:
    """Whether a horizon of so many seconds reaches beyond the next Friday, 17:00 New York."""
    here = from_epoch(decided).astimezone(NEW_YORK)
    friday = datetime.combine(here.date() + timedelta(days=(4 - here.weekday()) % 7), CUT_OFF, NEW_YORK)
    if here >= friday:
        friday = datetime.combine(friday.date() + timedelta(days=7), CUT_OFF, NEW_YORK)
    return decided + seconds > friday.timestamp()


def accounts_of(
    design: Design,
    bets: Sequence[Bet],
    most: Sequence[float],
    until: datetime,
    before: Accounts | None,
    since: datetime | None = None,
) -> Accounts:
    """Book a design's bets. most: the most that each could gain, in R. before: what was booked last time. since: when
    the account began anew; trades that were decided earlier do not count.

    Where booked candles were corrected, the account goes on from the lower of both. Candles that end before what was
    booked already book nothing.
    """
    if since is not None:
        before = before if before is not None and before.since == since else None
        kept_bets = [at for at, one in enumerate(bets) if one.entered >= since]
        bets, most = [bets[at] for at in kept_bets], [most[at] for at in kept_bets]
    if before is not None and until < before.until:
        return before
    clean = [one for one in bets if one.entered >= design.released]
    ended = [(one, top) for one, top in zip(bets, most, strict=True) if one.left <= until]
    account, _ = booked(bets, until=until)
    forward, _ = booked(clean, until=until)
    kept = clean_kept = 1.0
    if before is not None:
        kept = _kept(before.kept, before.value, booked(bets, until=before.until)[0].value)
        clean_kept = _kept(before.clean_kept, before.clean, booked(clean, until=before.until)[0].value)
    return Accounts(
        until=until,
        value=account.value * kept,
        clean=forward.value * clean_kept,
        kept=kept,
        clean_kept=clean_kept,
        trades=len(ended),
        guard_breaks=account.guard_breaks,
        growth=_growth(account, [one for one, _ in ended]),
        against=against_an_edge([(one.outcome, top) for one, top in ended]),
        since=since,
    )


def most_of(trades: HeldOut, bets: Sequence[Bet], costs: CostModel, granularity_s: int) -> list[float]:
    """The most that each bet could gain, in R: the target and the best financing over the stop."""
    best = max(0.0, float(np.max(costs.daily_rates)))
    by_entry = {from_epoch(int(at)): number for number, at in enumerate(trades.decided)}
    found = []
    for one in bets:
        at = by_entry[one.entered]
        nights = int(trades.horizon[at]) * granularity_s // _DAY_S + 1
        target = float(trades.target[at])
        reach = target if math.isfinite(target) else abs(one.outcome) * float(trades.stop[at])
        found.append((reach + nights * best * float(trades.price[at])) / float(trades.stop[at]))
    return found


def standing_of(
    pair: str, accounts: Mapping[str, Accounts], tried: Sequence[str], registered: Sequence[Design] = ()
) -> Standing:
    """A pair's account from those of its designs. tried: all pairs, by their first row in the ledger. registered: the
    pair's own designs: they are the second half of its clean account, and none of its history.

    A design that was never run counts as nothing: nobody may leave out the one that lost.
    """
    history = sum(one.weight * accounts[one.name].value for one in CATALOGUE if one.name in accounts)
    booked = [one for one in (*CATALOGUE, *registered) if one.name in accounts]
    forward = sum(one.weight * accounts[one.name].clean for one in booked) / 2
    value, wanted = (history + forward) / 2, threshold_of(pair, tried)
    basis = "forward" if forward >= wanted else "history" if value >= wanted else "none"
    return Standing(
        e_value=value,
        e_history=history,
        e_forward=forward,
        threshold=wanted,
        basis=basis,
        guard_breaks=sum(one.guard_breaks for one in accounts.values()),
        booked_until=max((one.until for one in accounts.values()), default=None),
    )


def threshold_of(pair: str, tried: Sequence[str]) -> float:
    """What a pair's account must be worth, whatever else is trained: 280 for a major, 1,120 for a cross."""
    others = [one for one in tried if one not in MAJORS and one not in CROSSES]
    return threshold(pair_weight(pair, others.index(pair) + 1 if pair in others else None))


def needed(standing: Standing, growth: float) -> int | None:
    """How many more trades would decide at the observed growth; None where no number would."""
    return trades_to_decide(standing.e_value, standing.threshold, growth)


def _kept(kept: float, value: float, again: float) -> float:
    """What is kept of an account whose booked past is worth `again` when it is booked again."""
    again *= kept
    return kept * min(1.0, value / again) if again > 0 else kept


def _growth(account: Account, bets: Sequence[Bet]) -> float:
    richest = LAMBDAS[max(range(len(LAMBDAS)), key=lambda number: account.cash[number])]
    factors = [1 + richest * one.outcome / one.scale for one in bets]
    return sum(math.log(max(one, 1e-9)) for one in factors) / len(factors) if factors else 0.0
