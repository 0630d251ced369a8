"""Candles as other libraries hold them: polars, pandas, Arrow."""

from typing import TYPE_CHECKING, Any

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles

if TYPE_CHECKING:
    import polars

KINDS = ("candles", "polars", "pandas", "arrow")


def as_kind(candles: Candles, kind: str) -> Any:
    """Candles as another library holds them; `candles` as they are.

    Raises InputError for another kind, and for a library that is not installed.
    """
    if kind not in KINDS:
        raise InputError(f"unknown kind '{kind}'", f"one of {', '.join(KINDS)}")
    if kind == "polars":
        return to_polars(candles)
    if kind == "arrow":
        return _to_arrow(candles)
    if kind == "pandas":
        return _to_pandas(candles)
    return candles


def to_polars(candles: Candles) -> "polars.DataFrame":
    """A polars frame: time (UTC), open, high, low, close, spread, volume; an unknown spread is null."""
    try:
        import polars as pl
    except ImportError:
        raise InputError("polars is not installed", "pip install 'sep-trader[data]'") from None
    time = pl.Series("time", candles.time * 1_000_000).cast(pl.Datetime("us", "UTC"))
    prices = [pl.Series(name, getattr(candles, name)) for name in ("open", "high", "low", "close")]
    spread = pl.Series("spread", candles.spread).fill_nan(None)
    return pl.DataFrame([time, *prices, spread, pl.Series("volume", candles.volume)])


def _to_arrow(candles: Candles) -> Any:
    try:
        return to_polars(candles).to_arrow()
    except ModuleNotFoundError:
        raise InputError("pyarrow is not installed", "pip install pyarrow") from None


def _to_pandas(candles: Candles) -> Any:
    try:
        import pandas as pd
    except ImportError:
        raise InputError("pandas is not installed", "pip install pandas") from None
    columns = {name: getattr(candles, name) for name in ("open", "high", "low", "close", "spread", "volume")}
    index = pd.DatetimeIndex(candles.time.astype("datetime64[s]"), name="time").tz_localize("UTC")
    return pd.DataFrame(columns, index=index, copy=False)
