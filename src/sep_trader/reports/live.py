"""Live trading over a span of days: the closed trades of the books, and the difference to the backtest."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np

from sep_trader.market.clock import format_rfc3339
from sep_trader.market.instrument import standard_instrument
from sep_trader.reports.figures import figures_of, trades_json
from sep_trader.reports.portfolio import calendar, exposure_of
from sep_trader.research.backtest import TradeTable
from sep_trader.research.plain import plain
from sep_trader.store.database import Database
from sep_trader.store.queries import Row, queries


@dataclass(frozen=True, slots=True)
class _Closed:
    """A closed trade as the books have it."""

    pair: str
    model_id: str | None
    units: Decimal
    entry_time: datetime
    exit_time: datetime
    entry_price: Decimal
    exit_price: Decimal
    exit_reason: str | None
    stop_distance: Decimal | None
    target_distance: Decimal | None
    gross_pl: Decimal
    net_pl: Decimal


def build(database: Database, first: datetime, until: datetime) -> dict[str, Any]:
    """Everything that the page states, as JSON values. Money is the account's."""
    with database.transaction() as connection:
        rows = queries.many(connection, "closed_between", _Closed, first=first, until=until)
        stated = queries.many(connection, "statements_between", Row, first=first.date(), until=until.date())
    table = _table(rows)
    span = format_rfc3339(first), format_rfc3339(until)
    money = [float(one.net_pl) for one in rows]
    told = trades_json(table, "EUR_USD")
    listed = len(told["side"])
    told |= {
        "pair": [one.pair for one in rows][-listed:] if listed else [],
        "model": [(one.model_id or "a person")[:8] for one in rows][-listed:] if listed else [],
        "money": [round(one, 2) for one in money][-listed:] if listed else [],
    }
    return plain(  # type: ignore[no-any-return]
        {
            "manifest": {
                "run": f"live {span[0]} {span[1]}", "pair": "Live", "kind": "live", "candles": 0,
                "candles_from": span[0], "candles_until": span[1], "data_hash": None, "code_of_run": None,
                "settings": {},
            },
            "verdict": None,
            **figures_of(table, calendar(table)),
            "money": _money(table, money),
            "statements": [_stated(one) for one in stated],
            "in_sample": None, "account": None, "folds": [], "sensitivity": [], "learned": None, "states": None,
            "exposure": exposure_of(table, [one.pair for one in rows]),
            "trades": told,
            "candles": {"count": 0, "joined": 1, "digits": 5, "packed": ""},
        }
    )  # fmt: skip


def _money(table: TradeTable, money: list[float]) -> dict[str, Any]:
    total = np.cumsum(money).round(4).tolist()
    return {"net": round(sum(money), 4), "time": table.exit_time.tolist(), "sum": total}


def _stated(row: Row) -> dict[str, Any]:
    money = {name: float(row[name]) for name in ("live", "backtest", "residual")}
    counts = {"decisions": row["decisions"], "identical": row["decisions_identical"]}
    return {"day": str(row["day"]), "pair": row["pair"], **counts, **money}


def _table(rows: list[_Closed]) -> TradeTable:
    side = np.array([1 if one.units > 0 else -1 for one in rows], dtype=np.int64)
    entry, leave = (np.array([float(getattr(one, name)) for one in rows]) for name in ("entry_price", "exit_price"))
    pip = np.array([float(standard_instrument(one.pair).pip) for one in rows])
    # Charges in proportion to the move: the books have them in money.
    share = np.array([float(one.net_pl / one.gross_pl) if one.gross_pl else 1.0 for one in rows])
    stop = np.array([np.nan if one.stop_distance is None else float(one.stop_distance) for one in rows])
    target = np.array([np.inf if one.target_distance is None else float(one.target_distance) for one in rows])
    gross = side * (leave - entry)
    return TradeTable(
        entry_time=np.array([int(one.entry_time.timestamp()) for one in rows], dtype=np.int64),
        exit_time=np.array([int(one.exit_time.timestamp()) for one in rows], dtype=np.int64),
        side=side, entry_price=entry, exit_price=leave, exit_reason=[one.exit_reason or "" for one in rows],
        stop_price=entry - side * stop, target_price=entry + side * target, gross_pips=gross / pip,
        net_pips=gross * share / pip, r=gross * share / stop, mfe_pips=np.full(len(rows), np.nan),
        mae_pips=np.full(len(rows), np.nan),
    )  # fmt: skip
