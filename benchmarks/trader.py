"""The trader's figures: a signal's way to the wire, a crash's way back to trading, booking a close, a day's memory.

Starts an embedded PostgreSQL and a simulated exchange with 28 pairs, and ends them. Ratios are taken within one run:
p50 and p99 of signal committed -> order on the wire stand beside a bare commit of the intent on the same server.
    python benchmarks/trader.py [--signals N] [--hours H] [--executions N] [--json]
"""

import argparse
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from tests.support.exchange import launched
from tests.support.waiting import wait_until

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.transport import Backoff, NotSent
from sep_trader.execution.feeds import FeedKeeper
from sep_trader.execution.journal import Journal
from sep_trader.execution.listener import Listener
from sep_trader.execution.settings import TraderSettings
from sep_trader.execution.trader import Trader
from sep_trader.ledger.transactions import Fill, FillCause, TradePart, Transaction
from sep_trader.market.clock import parse_rfc3339
from sep_trader.risk.limits import RiskLimits
from sep_trader.store.database import Database
from sep_trader.store.embedded import start_embedded, stop_embedded
from sep_trader.store.logs import Log
from sep_trader.store.migrations import migrate

ACCOUNT, TOKEN = "101-001-0000001-001", "bench"
PAIRS = [f"{base}_{quote}" for base in ("AUD", "EUR", "GBP", "NZD") for quote in
         ("CAD", "CHF", "HKD", "JPY", "SGD", "USD", "ZAR")]  # fmt: skip
LIMITS = RiskLimits(
    max_open_trades=10_000, max_orders_a_minute=100_000, max_leverage=Decimal(10_000), max_spread_pips=Decimal(1000),
    max_currency_exposure=Decimal(10_000), margin_headroom=Decimal(0), min_stop_pips=Decimal(0),
    min_stop_spreads=Decimal(0), risk_per_trade=Decimal("0.0001"), max_unknown_orders=10_000, losing_streak=0,
    max_daily_loss=Decimal(1), max_weekly_loss=Decimal(1), max_drawdown=Decimal(1),
)  # fmt: skip
MODEL = """
INSERT INTO research_runs VALUES (gen_random_uuid(), 'EUR_USD', 'M1', now(), now(), 10, 'd', 'v', '{}', 1, 1, 'READY',
    '', '{}');
INSERT INTO models SELECT 'm', 'EUR_USD', 'M1', id, '{}' FROM research_runs;
UPDATE trading_state SET state = 'ACTIVE', reason = 'bench', changed_by = 'bench';
"""
ENABLE = """INSERT INTO trading_pairs (pair, enabled, model_id, verdict, override_by, override_reason)
    SELECT unnest(%s::text[]), true, 'm', 'NOT_READY', 'bench', 'bench'"""
SIGNAL = """INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics,
    stop_distance, horizon, expires_at) VALUES (%s, %s, 'm', 'M1', %s, 1, 0.6, '{}', %s, '1 hour', %s)"""
BARE = """INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time,
    intent_transaction_id, expected_price) VALUES (%s, 'bare', 'EUR_USD', %s, 'REJECTED', 1, now(), 1, 1)"""
PAST = """
INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics, stop_distance,
    horizon, expires_at, status, reason_code, decided_at)
SELECT gen_random_uuid(), 'EUR_USD', 'm', 'M1', '2020-01-01Z'::timestamptz + n * interval '1 minute', 1, 0.6, '{}',
    0.00123, '1 hour', '2030-01-01Z', 'EXECUTED', 'FILLED', now() FROM generate_series(1, %s) AS n;
"""
CLOSED = """
INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time, intent_transaction_id,
    expected_price, order_id, trade_id, entry_time, entry_price, exit_time, exit_price, exit_reason)
SELECT id, %s, pair, 'past-' || id, 'CLOSED', 1000, candle_time, 1, 1.1, row_number() OVER () + 10000000,
    row_number() OVER () + 10000000, candle_time, 1.1, candle_time + interval '1 hour', 1.1, 'HORIZON'
FROM trading_signals WHERE status = 'EXECUTED';
"""


@contextmanager
def exchange(*options: str) -> Iterator[str]:
    """A seeded market of 28 pairs."""
    given = ["--token", TOKEN, "--account", ACCOUNT, "--hours", "always", "--instruments", ",".join(PAIRS), *options]
    with launched(*given) as running:
        yield running.url
        running.kill()


@contextmanager
def database() -> Iterator[Database]:
    """A migrated, empty database with 28 enabled pairs."""
    with tempfile.TemporaryDirectory(prefix="sep-bench-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        try:
            with Database(start_embedded(home), timeout_s=2, deadline_s=60) as made:
                migrate(made)
                with psycopg.connect(made.url) as connection:
                    connection.execute(MODEL)
                    connection.execute(ENABLE, [PAIRS])
                yield made
        finally:
            stop_embedded(home)


def client_of(url: str) -> OandaClient:
    return OandaClient(
        api_url=url, stream_url=url, token=TOKEN, account_id=ACCOUNT, retry=Backoff(base_s=0.02), requests_per_s=1000
    )


def insert(connection: "psycopg.Connection[Any]", url: str, pair: str) -> None:
    """A signal of the minute before, by the exchange's clock."""
    now = parse_rfc3339(httpx.get(f"{url}/_exchange/now").json()["now"])
    stop = "0.5" if pair.endswith(("JPY",)) else "0.05" if pair.endswith(("ZAR", "HKD")) else "0.005"
    candle = now - timedelta(seconds=60)
    connection.execute(SIGNAL, [uuid.uuid4(), pair, candle, stop, now + timedelta(minutes=2)])
    connection.commit()


def quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(1000 * s for s in seconds)
    return {
        "p50_ms": round(statistics.median(ordered), 2),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], 2),
        "max_ms": round(ordered[-1], 2),
    }


def latency(count: int) -> dict[str, Any]:
    """Signal committed -> its order on the wire, with 28 pairs streaming; beside it, a bare durable commit."""
    with database() as books, exchange("--clock", "live", "--rate", "2") as url:
        client = client_of(url)
        wire: list[float] = []
        send = client._transport._send

        def noted(method: str, address: str, **named: Any) -> Any:
            if method == "POST":  # what follows is the broker's time; the pair stays free for the next signal
                wire.append(time.perf_counter())
                raise NotSent("measured")
            return send(method, address, **named)

        transport: Any = client._transport
        transport._send = noted
        trader = Trader(books, client, TraderSettings("custom", limits=LIMITS))
        listener = Listener(books, trader.wake)
        feed = FeedKeeper(client, trader.newest, lambda _: None)
        stopping = threading.Event()

        def streamed() -> None:
            if trader.stands_at is not None:
                feed.keep(trader.memory.pairs, trader.stands_at)

        listener.start()
        thread = threading.Thread(target=trader.run, args=(stopping.is_set, streamed))
        thread.start()
        time.sleep(4)
        took, bare = [], []
        chance = random.Random(1)
        with psycopg.connect(books.url) as connection:
            for number in range(count):
                time.sleep(chance.uniform(0.1, 0.4))
                wire.clear()
                insert(connection, url, PAIRS[number % len(PAIRS)])
                began = time.perf_counter()
                while not wire and time.perf_counter() - began < 5:
                    time.sleep(0.0001)
                took.append(wire[0] - began if wire else 5.0)
                row = connection.execute("SELECT id FROM trading_signals ORDER BY created_at LIMIT 1").fetchone()
                connection.commit()
                bare.append(_bare_commit(connection, row[0] if row else uuid.uuid4()))
            reasons = connection.execute("SELECT reason_code, count(*) FROM trading_signals GROUP BY 1").fetchall()
        stopping.set()
        trader.wake.call()
        thread.join()
        feed.stop()
        listener.stop()
        trader.close()
        client.close()
    one, other = quantiles(took), quantiles(bare)
    return {
        "signal_to_wire": one, "bare_commit": other, "ratio_p50": round(one["p50_ms"] / other["p50_ms"], 1),
        "signals": count, "ended": {str(code): number for code, number in reasons},
    }  # fmt: skip


def _bare_commit(connection: "psycopg.Connection[Any]", signal_id: uuid.UUID) -> float:
    """One durable commit of a row like an intent, on the same server."""
    connection.execute("DELETE FROM trade_executions WHERE account_id = 'bare' OR signal_id = %s", [signal_id])
    connection.commit()
    began = time.perf_counter()
    connection.execute(BARE, [signal_id, f"bare-{uuid.uuid4()}"])
    connection.commit()
    return time.perf_counter() - began


def crash(rounds: int = 5) -> dict[str, Any]:
    """SIGKILL -> the same command started again -> the order of a signal that waits is at the broker."""
    took = []
    with database() as books, exchange("--clock", "live", "--rate", "2") as url:
        environment = {
            **os.environ, "SEP_DATABASE_URL": books.url, "OANDA_ENVIRONMENT": "custom", "OANDA_API_URL": url,
            "OANDA_API_KEY": TOKEN, "OANDA_ACCOUNT_ID": ACCOUNT, "SEP_MAX_LEVERAGE": "1000",
            "SEP_MAX_CURRENCY_EXPOSURE": "1000", "SEP_MAX_OPEN_TRADES": "100", "SEP_MARGIN_HEADROOM": "0",
            "SEP_RISK_PER_TRADE": "0.0001", "SEP_MAX_SPREAD_PIPS": "1000", "SEP_LOG_LEVEL": "error",
        }  # fmt: skip
        command = [sys.executable, "-m", "sep_trader", "trade", "run"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        time.sleep(4)
        with psycopg.connect(books.url, autocommit=True) as connection:
            for number in range(rounds):
                process.send_signal(signal.SIGKILL)
                process.wait()
                insert(connection, url, PAIRS[number])
                began = time.perf_counter()
                process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
                wait_until(partial(_so_many, connection, number + 1))
                took.append(time.perf_counter() - began)
        process.terminate()
        process.wait()
    return {"crash_to_trading_s": round(statistics.median(took), 2), "slowest_s": round(max(took), 2)}


def _so_many(connection: "psycopg.Connection[Any]", count: int) -> bool:
    opened = "SELECT count(*) FROM trade_executions WHERE status = 'OPEN'"
    return connection.execute(opened).fetchone() == (count,)


def booking(count: int) -> dict[str, Any]:
    """Booking the fill that closes a trade, empty and with many signals and executions in the past."""
    results = {}
    for past in (0, count):
        with database() as books, psycopg.connect(books.url) as connection:
            connection.execute(PAST, [past])
            connection.execute(CLOSED, [ACCOUNT])
            connection.execute("ANALYZE")
            connection.execute(
                "INSERT INTO ledger_accounts (account_id, environment, currency, opening_balance, balance,"
                " opening_transaction_id, last_transaction_id) VALUES (%s, 'custom', 'USD', 100, 100, 0, 0)", [ACCOUNT],
            )  # fmt: skip
            connection.commit()
            took = [_book_close(books, connection, number) for number in range(1, 21)]
            results[f"book_a_close_{past}_ms"] = round(1000 * statistics.median(took), 1)
    return results


def _book_close(books: Database, connection: "psycopg.Connection[Any]", number: int) -> float:
    """Time the transaction that books one close."""
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    now, signal_id = row[0], uuid.uuid4()
    connection.execute(SIGNAL, [signal_id, "EUR_USD", now + timedelta(minutes=number), "0.005", now])
    connection.execute(
        "INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, open_units, intent_time,"
        " intent_transaction_id, expected_price, trade_id, entry_time, entry_price) VALUES (%s, %s, 'EUR_USD', %s,"
        " 'OPEN', 1000, 1000, now(), 1, 1.1, %s, now(), 1.1)",
        [signal_id, ACCOUNT, f"sep-{signal_id.hex}", number],
    )
    connection.commit()
    zero = Decimal(0)
    part = TradePart(number, Decimal(-1000), Decimal("1.1"), Decimal("-0.5"), zero, zero, zero)
    fill = Fill(1, None, FillCause.STOP_LOSS, Decimal("-0.5"), zero, zero, None, (part,), None, instrument="EUR_USD")
    one = Transaction(number, "ORDER_FILL", now, fill, 100 - Decimal("0.5") * number, {})
    journal = Journal(ACCOUNT, Log("bench"))
    began = time.perf_counter()
    with books.transaction() as within:
        journal.book(within, number - 1, [one], {})
    return time.perf_counter() - began


class Stepped:
    """Spans that pass as the exchange is stepped."""

    at = 0.0

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.at += seconds
        return event.is_set()


def memory(hours: float) -> dict[str, Any]:
    """Simulated hours with 28 pairs, a look every five seconds and a signal a minute: resident memory over time."""
    step_s = 5
    with database() as books, exchange("--clock", "stepped", "--rate", "0.2") as url, psycopg.connect(books.url) as c:
        client, clock = client_of(url), Stepped()
        trader = Trader(books, client, TraderSettings("custom", limits=LIMITS), clock=clock)
        me, sizes = psutil.Process(), []
        for passes in range(int(hours * 3600 / step_s)):
            httpx.post(f"{url}/_exchange/step", json={"seconds": step_s}, timeout=60).raise_for_status()
            clock.at += step_s
            if passes % 12 == 0:
                insert(c, url, PAIRS[passes // 12 % len(PAIRS)])
            trader.once()
            if passes % 60 == 0:
                sizes.append(me.memory_info().rss / 1e6)
        trader.close()
        client.close()
        row = c.execute("SELECT count(*) FROM trade_executions").fetchone()
    settled = sizes[len(sizes) // 10 :]  # after what is loaded at the first use of each part
    return {
        "simulated_hours": hours, "orders": row[0] if row else 0, "rss_mb_start": round(settled[0], 1),
        "rss_mb_end": round(settled[-1], 1), "rss_mb_peak": round(max(sizes), 1),
        "rss_growth": f"{settled[-1] / settled[0] - 1:.1%}",
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=300)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--executions", type=int, default=400_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="", help="latency, crash, booking or memory")
    given = parser.parse_args()
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "latency": lambda: latency(given.signals), "crash": crash, "booking": lambda: booking(given.executions),
        "memory": lambda: memory(given.hours),
    }  # fmt: skip
    found: dict[str, Any] = {"host": f"{platform.machine()}, {os.cpu_count()} cores"}
    for name, measure in parts.items():
        if given.only in ("", name):
            found |= measure()
            if not given.json:
                print(name, {k: v for k, v in found.items() if k != "host"}, flush=True)
    if given.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
