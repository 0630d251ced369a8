"""What the demo trades on: the owner's folder, the real candles beside the repository, or a simulated market."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sep_trader.errors import InputError
from sep_trader.settings import load_settings

_FULL_DAY_BYTES = 10_000
"""A day's zip is at least so large when the market was open all day."""
_DAYS_BEFORE = 5
_FIRST_SIMULATED_DAY = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class DemoMarket:
    """A Lean data folder, and whether its prices are simulated, with which seed."""

    folder: Path
    simulated: bool
    seed: int | None = None

    @property
    def note(self) -> str:
        """What every screen says of the prices."""
        return "PRICES ARE SIMULATED" if self.simulated else f"Recorded prices of {self.folder}"

    def pairs(self) -> list[str]:
        """Pairs with M1 candles in the folder."""
        names = sorted(p.name for p in (self.folder / "minute").glob("*") if p.is_dir() and len(p.name) == 6)
        return [f"{n[:3]}_{n[3:]}".upper() for n in names]

    def files(self, pair: str, before: int | None = None) -> list[Path]:
        """A pair's daily files, oldest first; only days before a time (seconds since the epoch) where one is given."""
        found = sorted((self.folder / "minute" / pair.replace("_", "").lower()).glob("*_quote.zip"))
        if before is None:
            return found
        end = f"{datetime.fromtimestamp(before, UTC):%Y%m%d}"
        return [f for f in found if f.name[:8] < end]


def find_market(data: Path | None, scratch: Path, seed: int) -> DemoMarket:
    """The market to demonstrate on, a simulated one of `seed` where there is no data.

    Raises InputError when a folder that was named holds no M1 candles.
    """
    if data is not None:
        market = DemoMarket(data.resolve(), simulated=False)
        if not market.pairs():
            raise InputError(f"{data} holds no candles", "expected minute/eurusd/YYYYMMDD_quote.zip in it")
        return market
    beside = load_settings().test_data / "lean-oanda"
    if beside.is_dir() and DemoMarket(beside, simulated=False).pairs():
        return DemoMarket(beside.resolve(), simulated=False)
    from sep_trader.exchange.market.lean import write_market

    folder = scratch / "simulated-market"
    write_market(folder, ["EUR_USD", "NZD_USD"], start=_FIRST_SIMULATED_DAY, days=12, seed=seed)
    return DemoMarket(folder, simulated=True, seed=seed)


def trading_day(market: DemoMarket) -> int:
    """Start (seconds since the epoch) of the last UTC day that every pair traded in full.

    Raises InputError when there is none with a week of candles before it.
    """
    full = [{f.name[:8] for f in market.files(pair) if f.stat().st_size >= _FULL_DAY_BYTES} for pair in market.pairs()]
    common = sorted(set.intersection(*full))
    if len(common) <= _DAYS_BEFORE:
        raise InputError(
            f"{market.folder} has {len(common)} days on which all pairs traded",
            f"at least {_DAYS_BEFORE + 1} are needed",
        )
    return int(datetime.strptime(common[-1], "%Y%m%d").replace(tzinfo=UTC).timestamp())
