"""The account that bets against "no edge": what lets a pair trade. Pure.

Four gamblers bet a fixed share of what they hold on every trade, before its outcome is known. If no trade has a
positive expected net outcome, the chance that they are ever worth 1/alpha together is at most alpha, however often one
looks (Ville's inequality), for any overlap of trades and any dependence between them. An open stake counts as lost,
which is what makes that true while trades are open. Nothing is ever paid in.

Sources: Ville (1939); Shafer (2021), testing by betting; Waudby-Smith and Ramdas (2024), estimating means by betting.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

_WEEKEND_GAP = 0.01
"""A share of the price by which a market may open away from its close on a Friday."""
_MOST = 1e300
"""A gambler who holds more is taken to hold this: less than true, and still a number."""
LAMBDAS = (1 / 2, 1 / 4, 1 / 8, 1 / 16)
"""The shares of their cash that the gamblers bet; each begins with a fourth of the account."""


@dataclass(frozen=True, slots=True)
class Bet:
    """A trade as the account books it. entered, left: when it was decided (the candle's close), and the close of the
    candle in which it ended.

    outcome: net result over the stop distance (R). scale: the most that the trade was to lose, in R, fixed at the entry
    (see `scale_of`). pair, design: what orders entries of one moment.
    """

    entered: datetime
    left: datetime
    pair: str
    design: str
    outcome: float
    scale: float


@dataclass(frozen=True, slots=True)
class Booking:
    """What the account was worth once a trade was booked, open stakes counted as lost."""

    at: datetime
    value: float


@dataclass(slots=True)
class Account:
    """An account. Trades are entered and left in the order of time."""

    cash: list[float] = field(default_factory=lambda: [1 / len(LAMBDAS)] * len(LAMBDAS))
    guard_breaks: int = 0
    """Trades that lost more than their scale."""
    _stakes: dict[int, tuple[list[float], Bet]] = field(default_factory=dict)
    _next: int = 0

    @property
    def value(self) -> float:
        """What it is worth: its cash, open stakes counted as lost; never below 0."""
        return sum(self.cash)

    def enter(self, bet: Bet) -> int:
        """Stake on a trade that was decided; returns its number. Its outcome is not looked at."""
        stakes = [share * cash for share, cash in zip(LAMBDAS, self.cash, strict=True)]
        self.cash = [cash - stake for cash, stake in zip(self.cash, stakes, strict=True)]
        self._stakes[self._next] = (stakes, bet)
        self._next += 1
        return self._next - 1

    def leave(self, number: int) -> float:
        """Pay out a trade that has ended; returns what the account is worth then."""
        stakes, bet = self._stakes.pop(number)
        if bet.outcome < -bet.scale:
            self.guard_breaks += 1
        factor = 1 + bet.outcome / bet.scale
        self._settle([cash + stake * factor for cash, stake in zip(self.cash, stakes, strict=True)])
        return self.value

    def _settle(self, cash: list[float]) -> None:
        """A gambler in debt is paid by the others, in proportion; an account in debt is nothing for ever."""
        debt = -sum(one for one in cash if one < 0)
        held = sum(one for one in cash if one > 0)
        if debt >= held > 0 or (debt > 0 and held == 0):
            cash, self._stakes = [0.0] * len(cash), {n: ([0.0] * len(s), b) for n, (s, b) in self._stakes.items()}
        elif debt > 0:
            cash = [one * (1 - debt / held) if one > 0 else 0.0 for one in cash]
        self.cash = [min(one, _MOST) for one in cash]


def scale_of(
    *,
    stop: float,
    spread: float,
    slippage: float,
    most_nights: int,
    night_rate: float,
    price: float,
    over_a_weekend: bool = False,
) -> float:
    """The scale of a trade, in R: what it is to lose at most.

    stop, spread, slippage (of one fill), price: price units at the decision. most_nights: 17:00 New York that the
    horizon can pass; night_rate: financing of one as a share of the price, as a charge. over_a_weekend: whether the
    horizon reaches beyond a Friday's close: no stop holds a gap, so that less is bet.
    """
    gap = _WEEKEND_GAP * price / stop if over_a_weekend else 0.0
    return 1 + (spread + 2 * slippage) / stop + most_nights * night_rate * price / stop + 0.25 + gap


def booked(bets: Iterable[Bet], *, until: datetime | None = None) -> tuple[Account, list[Booking]]:
    """Book trades in the order in which they were entered and left; what has not ended by `until` is open.

    At one moment exits come before entries; entries of one moment are ordered by pair and design. So the bookings of a
    shorter history are the beginning of those of a longer one.
    """
    known = sorted(
        (one for one in bets if until is None or one.entered <= until), key=lambda b: (b.entered, b.pair, b.design)
    )
    events = [(one.entered, 1, n) for n, one in enumerate(known)]
    events += [(one.left, 0, n) for n, one in enumerate(known) if until is None or one.left <= until]
    account, numbers, bookings = Account(), dict[int, int](), list[Booking]()
    for moment, entering, n in sorted(events):
        if entering:
            numbers[n] = account.enter(known[n])
        else:
            bookings.append(Booking(moment, account.leave(numbers[n])))
    return account, bookings
