"""A signal: a proposal to trade, made at the close of one candle."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sep_trader.states import SignalKind

# Identifies our signals among all version-5 UUIDs.
_NAMESPACE = uuid.UUID("6d1fb7a4-6a0e-5f7e-9c58-1f2f6c8f5a31")


@dataclass(frozen=True, slots=True)
class Signal:
    """One proposal. Distances in price units; `candle_time` is the start of the newest candle it knew."""

    id: uuid.UUID
    pair: str
    model_id: str
    granularity: str
    candle_time: datetime
    side: int
    confidence: Decimal
    metrics: dict[str, Any]
    stop_distance: Decimal
    target_distance: Decimal | None
    horizon: timedelta
    expires_at: datetime
    kind: SignalKind = SignalKind.ENTRY
    """EXIT: close the trade of this model that goes against `side`."""


def signal_id(model_id: str, pair: str, candle_time: datetime, kind: SignalKind = SignalKind.ENTRY) -> uuid.UUID:
    """The id of the signal of a model, pair and candle: the same whenever and wherever it is generated."""
    last = "|exit" if kind is SignalKind.EXIT else ""
    return uuid.uuid5(_NAMESPACE, f"{model_id}|{pair}|{candle_time.isoformat()}{last}")
