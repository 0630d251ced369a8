"""One instrument's market: the quote, the ladder that the model builds round it, and whether it can be traded."""

from dataclasses import dataclass, field

from sep_trader.exchange.market.figures import half_even
from sep_trader.market.instrument import Instrument

# The data has the top of the book only. Model: a million units at the best price, ten more half a spread worse.
TOP_LIQUIDITY = 1_000_000
DEEP_LIQUIDITY = 10_000_000


@dataclass(slots=True)
class Book:
    """A quote in whole ticks with its own time (ns). `version` counts what clients can see change."""

    instrument: Instrument
    bid: int = 0
    ask: int = 0
    time: int = 0
    tradeable: bool = False
    version: int = 0
    empty: bool = False
    """An empty book shows no buckets and fills nothing."""
    precision: int = field(init=False)

    def __post_init__(self) -> None:
        self.precision = self.instrument.display_precision

    @property
    def known(self) -> bool:
        """Whether there has been a price at all."""
        return self.time > 0

    @property
    def step(self) -> int:
        """How many ticks the second bucket is worse than the best: half a spread, at least one."""
        return max(1, (self.ask - self.bid) // 2)

    @property
    def mid(self) -> int:
        """Mid price in ticks, half-even."""
        return half_even(self.bid + self.ask, 2)

    def bids(self) -> tuple[tuple[int, int], ...]:
        """Buckets (price in ticks, liquidity), best first."""
        if self.empty or not self.known:
            return ()
        return (self.bid, TOP_LIQUIDITY), (self.bid - self.step, DEEP_LIQUIDITY)

    def asks(self) -> tuple[tuple[int, int], ...]:
        """Buckets (price in ticks, liquidity), best first."""
        if self.empty or not self.known:
            return ()
        return (self.ask, TOP_LIQUIDITY), (self.ask + self.step, DEEP_LIQUIDITY)

    def take(self, units: int, limit: int | None, whole: bool = False) -> tuple[int, int]:
        """Walk the ladder for |units| (positive buys) no worse than `limit`; returns (units available, VWAP in ticks).

        Liquidity is not used up: the next order meets the same ladder. `whole`: what is beyond the ladder is had at
        the last price reached, as for exits, which must not hang on a size that the model has no liquidity for.
        """
        wanted = abs(units)
        got = cost = last = 0
        for price, liquidity in self.asks() if units > 0 else self.bids():
            if limit is not None and (price > limit if units > 0 else price < limit):
                break
            part = min(wanted - got, liquidity)
            last = price
            got += part
            cost += part * price
            if got == wanted:
                break
        if whole and 0 < got < wanted:
            cost += (wanted - got) * last
            got = wanted
        return got, half_even(cost, got) if got else 0
