"""What the demo trades on: the owner's folder, the real candles beside the repository, or a simulated market."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles

_FULL_DAY = 1_000
"""M1 candles that make a day worth trading on."""


@dataclass(frozen=True, slots=True)
class DemoMarket:
    """A Lean data folder, and whether its prices are simulated."""

    folder: Path
    simulated: bool

    @property
    def note(self) -> str:
        """What every screen says of the prices."""
        return "PRICES ARE SIMULATED" if self.simulated else f"recorded prices of {self.folder}"

    def pairs(self) -> list[str]:
        """Pairs with M1 candles in the folder."""
        names = sorted(p.name for p in (self.folder / "minute").glob("*") if p.is_dir() and len(p.name) == 6)
        return [f"{n[:3]}_{n[3:]}".upper() for n in names]


def find_market(data: Path | None, scratch: Path) -> DemoMarket:
    """The market to demonstrate on; raises InputError when a folder that was named holds no M1 candles."""
    if data is not None:
        market = DemoMarket(data, simulated=False)
        if not market.pairs():
            raise InputError(f"{data} holds no candles", "expected minute/eurusd/YYYYMMDD_quote.zip in it")
        return market
    beside = Path(os.environ.get("SEP_TEST_DATA", "../shared/data")) / "lean-oanda"
    if beside.is_dir() and DemoMarket(beside, simulated=False).pairs():
        return DemoMarket(beside.resolve(), simulated=False)
    from sep_trader.broker.exchange.market import write_market

    folder = scratch / "simulated-market"
    write_market(folder, pairs=["EUR_USD", "NZD_USD"], days=12, seed=7)
    return DemoMarket(folder, simulated=True)


def trading_day(candles: list[Candles]) -> int:
    """Start (seconds since the epoch) of the last UTC day on which every pair has a full day of M1 candles.

    Raises InputError when there is none with a week of candles before it.
    """
    common: set[int] | None = None
    for series in candles:
        days, counts = np.unique(series.time // 86_400, return_counts=True)
        full = {int(d) for d in days[counts >= _FULL_DAY]}
        common = full if common is None else common & full
    usable = [d for d in sorted(common or ()) if all((s.time < d * 86_400).sum() >= 4 * _FULL_DAY for s in candles)]
    if not usable:
        raise InputError("the data has no day on which all pairs trade with a week of candles before it", "add days")
    return usable[-1] * 86_400
