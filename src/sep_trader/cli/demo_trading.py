"""The demo's trading day. The exchange's clock is stepped minute by minute: the same seed gives the same trades on any
machine, busy or not."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.execution.clocks import ClockRules
from sep_trader.execution.settings import TraderSettings
from sep_trader.execution.trader import Trader
from sep_trader.market.clock import parse_rfc3339
from sep_trader.signals.job import Follower, load_models
from sep_trader.store.database import Database

STEP_S = 60
_PATIENCE_S = 60


class SteppedClock:
    """Spans as the exchange's clock passes them: nothing waits for the wall clock."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        """Seconds since the demo's day began."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Let nothing pass: the exchange's clock does."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Go on at once."""
        return event.is_set()


@dataclass(frozen=True, slots=True)
class Exchange:
    """Where the simulated exchange listens, and how it lets us in."""

    url: str
    account: str
    token: str


@dataclass(slots=True)
class Day:
    """One trading day. speed: times real time at most. tell: told the market's time after each minute."""

    database: Database
    exchange: Exchange
    speed: int
    tell: Callable[[float], None]

    def trade(self, end: int, unsettled: Callable[[], int], most_minutes: int = 24 * 60) -> None:
        """Step until `end` (seconds since the epoch), and then until no trade of ours is open."""
        clock = SteppedClock()
        with httpx.Client(base_url=self.exchange.url, timeout=_PATIENCE_S) as admin:
            broker = OandaClient(
                api_url=self.exchange.url, stream_url=self.exchange.url, token=self.exchange.token,
                account_id=self.exchange.account, requests_per_s=10_000,
            )  # fmt: skip
            trader = Trader(
                self.database, broker, TraderSettings(environment="custom", status_s=0), clock=clock,
                clock_rules=ClockRules(tolerance_s=1e9),
            )  # fmt: skip
            follower = Follower(self.database, broker, lambda c: load_models(c, enabled_only=True))
            try:
                begun = time.monotonic()
                for minute in range(most_minutes):
                    answer = admin.post("/_exchange/step", json={"seconds": STEP_S}).json()
                    clock.at += STEP_S
                    now = parse_rfc3339(answer["now"]).timestamp()
                    if now < end:
                        follower.step()
                    trader.settle()
                    self.tell(now)
                    if now >= end and unsettled() == 0:
                        break
                    time.sleep(max(0.0, begun + (minute + 1) * STEP_S / self.speed - time.monotonic()))
                trader.sign_of_life("stopped", None)
            finally:
                trader.close()
                broker.close()
