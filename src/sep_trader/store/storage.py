"""How the volume is used: seven areas, each with its budget, bytes used, growth and days to full."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from sep_trader.store.database import Connection
from sep_trader.store.queries import queries

GB = 10**9
DEFAULT_BUDGETS_GB: dict[str, float] = {
    "candles": 25, "signals": 5, "executions": 3, "configuration": 2, "backups": 8, "raw_cache": 5, "growth_buffer": 2,
}  # fmt: skip
WARN_AT, ACT_AT = 0.80, 0.95
_TABLES = {
    "candles": ("market_candles", "candle_rollups", "candle_rollup_due", "candle_downloads", "candle_days"),
    "signals": ("trading_signals", "bundle_exports", "bundle_receipts"),
    "executions": ("trade_executions", "broker_transactions", "ledger_accounts", "performance_metrics"),
}


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the volume. growth: bytes a day, None when nothing is known."""

    name: str
    used: int
    budget: int
    growth: float | None = None

    @property
    def share(self) -> float:
        """Used part of the budget."""
        return self.used / self.budget if self.budget else 0.0

    @property
    def level(self) -> str:
        """ok, warning (80 %) or critical (95 %)."""
        return "critical" if self.share >= ACT_AT else "warning" if self.share >= WARN_AT else "ok"

    @property
    def days_to_full(self) -> float | None:
        """Days until the budget is used up at this growth; None when it does not grow."""
        return max(0.0, (self.budget - self.used) / self.growth) if self.growth and self.growth > 0 else None

    def as_dict(self) -> dict[str, object]:
        """As a JSON object."""
        days = self.days_to_full
        return {
            "area": self.name,
            "used_bytes": self.used,
            "budget_bytes": self.budget,
            "share": round(self.share, 4),
            "growth_bytes_a_day": None if self.growth is None else round(self.growth),
            "days_to_full": None if days is None else round(days, 1),
            "level": self.level,
        }


@dataclass(frozen=True, slots=True)
class Usage:
    """All areas, and what a candle costs on disk with its key (None without candles)."""

    areas: tuple[Area, ...]
    bytes_per_candle: float | None

    @property
    def total(self) -> Area:
        """The volume as a whole."""
        grown = [a.growth for a in self.areas if a.growth is not None]
        used, budget = sum(a.used for a in self.areas), sum(a.budget for a in self.areas)
        return Area("total", used, budget, sum(grown) if grown else None)

    def area(self, name: str) -> Area:
        """One area by name."""
        return next(a for a in self.areas if a.name == name)

    def as_dict(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "areas": [a.as_dict() for a in self.areas],
            "total": self.total.as_dict(),
            "bytes_per_candle": None if self.bytes_per_candle is None else round(self.bytes_per_candle, 1),
        }


@dataclass(frozen=True, slots=True)
class _Table:
    """Bytes of a table with its indexes, and the planner's estimate of its rows."""

    name: str
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class _Growth:
    """Growth of an area."""

    area: str
    bytes_a_day: float


def measure(connection: Connection, budgets_gb: Mapping[str, float], folders: Mapping[str, Path], today: date) -> Usage:
    """Measure every area. budgets_gb: overrides of the defaults; folders: where `backups` and `raw_cache` lie."""
    tables = {row.name: row for row in queries.many(connection, "table_bytes", _Table)}
    used = {area: sum(tables[t].bytes for t in names if t in tables) for area, names in _TABLES.items()}
    used["configuration"] = sum(row.bytes for row in tables.values()) - sum(used.values())
    used |= {name: folder_bytes(folder) for name, folder in folders.items()}
    per_candle = _bytes_per_candle(connection, tables.get("market_candles"))
    growth = {row.area: row.bytes_a_day for row in queries.many(connection, "storage_growth", _Growth, today=today)}
    if "candles" not in growth and per_candle:
        growth["candles"] = per_candle * float(queries.value(connection, "candles_a_day", Decimal))
    budgets = {**DEFAULT_BUDGETS_GB, **budgets_gb}
    areas = [Area(n, used.get(n, 0), int(gb * GB), growth.get(n)) for n, gb in budgets.items()]
    return Usage(tuple(areas), per_candle)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; 0 when it does not exist."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) if folder.is_dir() else 0


def _bytes_per_candle(connection: Connection, table: _Table | None) -> float | None:
    if table is None:
        return None
    # The planner's estimate spares counting millions of rows; a table that was never analysed is counted.
    rows = table.rows or queries.value(connection, "candle_count", int)
    return table.bytes / rows if rows else None
