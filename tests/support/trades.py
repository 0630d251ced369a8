"""A trade of the trader, and what the broker and the switch say, for tests with an exchange."""

from typing import Any

import httpx

from sep_trader.execution.trader import Trader
from tests.integration.execution.conftest import ACCOUNT, TOKEN, World

WIDE_STOP: dict[str, Any] = {"stop": "0.01000", "target": "0.02000"}


def opened(world: World, trader: Trader, **terms: Any) -> int:
    """Let a signal become a trade of 50,000 EUR_USD; return the broker's id of it."""
    world.signal(**{**WIDE_STOP, "horizon": 600, **terms})
    trader.settle()
    return int(world.row("SELECT trade_id FROM v_open_trades")["trade_id"])


def at_broker(world: World, trade_id: int) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.get(f"{world.url}/v3/accounts/{ACCOUNT}/trades/{trade_id}", headers=headers)
    return dict(answer.json()["trade"])


def state(world: World) -> tuple[str, str]:
    row = world.row("SELECT state, changed_by FROM trading_state")
    return row["state"], row["changed_by"]
