"""A signal: a proposal to trade, made at the close of one candle."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

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


def signal_id(model_id: str, pair: str, candle_time: datetime) -> uuid.UUID:
    """The id of the signal of a model, pair and candle: the same whenever and wherever it is generated."""
    return uuid.uuid5(_NAMESPACE, f"{model_id}|{pair}|{candle_time.isoformat()}")
