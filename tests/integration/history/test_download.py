"""Download, gaps and repair against the exchange, over real HTTP and with real candles."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from tests.support.exchange import Running, launched

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.history.cache import RawCache
from sep_trader.history.download import Download, Page, gaps, spans
from sep_trader.history.job import import_path
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.store import candles as store
from sep_trader.store.database import Database

ACCOUNT, TOKEN = "101-001-0000001-001", "secret-token"
START, END = (int(parse_rfc3339(f"2014-05-{day:02}T00:00:00Z").timestamp()) for day in (5, 15))


@pytest.fixture(scope="module")
def exchange(data_dir: Path) -> Iterator[Running]:
    """An exchange that stands still at 15 May 2014, with OANDA's own candles behind it."""
    with launched(
        "--token", TOKEN, "--account", ACCOUNT, "--clock", "stepped", "--start", "2014-05-15T12:00:00Z",
        "--data", str(data_dir / "lean-oanda"),
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def broker(exchange: Running) -> Iterator[OandaClient]:
    client = OandaClient(api_url=exchange.url, stream_url=exchange.url, token=TOKEN, account_id=ACCOUNT)
    yield client
    client.close()


def test_a_download_equals_the_files_and_is_not_repeated(
    database: Database, broker: OandaClient, data_dir: Path, tmp_path: Path
) -> None:
    cache = RawCache(tmp_path / "cache", 10**9)
    job = Download(database, broker, Granularity.M1, cache)
    report = job.run(["NZD_USD"], START, END)
    fetched = store.read(database, "NZD_USD", Granularity.M1)
    assert report.results["NZD_USD"].inserted == len(fetched) > 8_000
    assert report.requests == -(-(END - START) // (5_000 * 60))
    assert (fetched.volume > 0).all()
    # The files hold the same candles without a volume: what they do not know is no correction.
    imported = import_path(database, data_dir / "lean-oanda", "lean", "NZD_USD", Granularity.M1)
    assert (imported.result.duplicates, imported.result.corrections) == (len(fetched), ())
    again = job.run(["NZD_USD"], START, END)
    assert (again.requests, again.results) == (0, {})


def test_a_lost_database_is_filled_again_from_the_raw_cache(
    database: Database, broker: OandaClient, tmp_path: Path
) -> None:
    cache = RawCache(tmp_path / "cache", 10**9)
    job = Download(database, broker, Granularity.M1, cache)
    first = job.run(["EUR_USD"], START, END)
    with database.transaction() as connection:
        connection.execute("DELETE FROM market_candles")
        connection.execute("DELETE FROM candle_downloads")
    second = job.run(["EUR_USD"], START, END)
    assert second.requests == 0
    assert second.results == first.results


def test_repair_asks_for_real_gaps_only_and_invents_nothing(
    database: Database, broker: OandaClient, data_dir: Path
) -> None:
    import_path(database, data_dir / "lean-oanda" / "minute", "lean", "EUR_USD", Granularity.M1)
    full = store.read(database, "EUR_USD", Granularity.M1, START, END)
    hole = (int(full.time[3_000]), int(full.time[3_060]))
    with database.transaction() as connection:
        connection.execute(
            "DELETE FROM market_candles WHERE time >= to_timestamp(%s) AND time < to_timestamp(%s)", hole
        )
    found = gaps(database, "EUR_USD", Granularity.M1, START, END)
    assert any(gap.start <= hole[0] and gap.end >= hole[1] for gap in found)
    job = Download(database, broker, Granularity.M1)
    job.repair("EUR_USD", found)
    mended = store.read(database, "EUR_USD", Granularity.M1, START, END)
    assert np.array_equal(mended.time, full.time)
    assert np.array_equal(mended.close, full.close)
    # What is still missing, the broker does not have: it was asked.
    left = gaps(database, "EUR_USD", Granularity.M1, START, END)
    assert all(gap.asked for gap in left)


def test_a_span_that_reaches_into_the_future_stays_open_at_its_end(database: Database, broker: OandaClient) -> None:
    begin, now = (int(parse_rfc3339(f"2014-05-15T{hour}:00:00Z").timestamp()) for hour in ("06", "12"))
    pages: list[Page] = []
    Download(database, broker, Granularity.M1).run(["EUR_USD"], begin, now + 86_400, pages.append)
    [(start, through)] = spans(database, "EUR_USD", Granularity.M1)
    newest = store.latest(database, "EUR_USD", Granularity.M1, 1)
    assert (start, through) == (begin, int(newest.time[0]) + 60)
    assert through <= now


def test_sigkill_in_mid_download_loses_nothing_and_the_next_run_goes_on(
    database: Database,
    new_database: Callable[[], AbstractContextManager[Database]],
    exchange: Running,
    broker: OandaClient,
    tmp_path: Path,
) -> None:
    environment = {
        **os.environ, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(tmp_path), "OANDA_API_KEY": TOKEN,
        "OANDA_ACCOUNT_ID": ACCOUNT, "OANDA_ENVIRONMENT": "custom", "OANDA_API_URL": exchange.url,
    }  # fmt: skip
    sep = str(Path(sys.executable).with_name("sep"))
    span = ["--from", "2014-05-05", "--to", "2014-05-09"]
    command = [sep, "data", "download", "--pairs", "EUR_USD", "--granularity", "S5", *span, "--json"]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path)
    deadline = time.monotonic() + 30
    while not spans(database, "EUR_USD", Granularity.S5) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    reached = spans(database, "EUR_USD", Granularity.S5)[0][1]
    done = subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True)
    left = -(-(START + 4 * 86_400 - reached) // (5_000 * 5))
    assert json.loads(done.stdout)["requests"] <= left + 1
    assert left > 0, "it was killed too late to say anything"
    stored = store.read(database, "EUR_USD", Granularity.S5)
    with new_database() as other:
        Download(other, broker, Granularity.S5).run(["EUR_USD"], START, START + 4 * 86_400)
        whole = store.read(other, "EUR_USD", Granularity.S5)
    assert np.array_equal(stored.time, whole.time)
    assert np.array_equal(stored.close, whole.close)


def test_empty_years_cost_a_request_or_two_and_the_brokers_rates_are_kept(
    database: Database, broker: OandaClient, tmp_path: Path
) -> None:
    begin = int(parse_rfc3339("2014-01-01T00:00:00Z").timestamp())  # the exchange's minutes begin in May
    report = Download(database, broker, Granularity.M1).run(["NZD_USD"], begin, END)
    candles = store.read(database, "NZD_USD", Granularity.M1)
    assert report.results["NZD_USD"].inserted == len(candles) > 8_000
    first = int(candles.time[0])
    assert first - begin > 60 * 86_400
    # One page found nothing and led to the first candle; the others are full.
    assert report.requests <= 2 + -(-(END - first) // (5_000 * 60))
    assert spans(database, "NZD_USD", Granularity.M1) == [(begin, END)]
    [terms] = broker.instruments(["NZD_USD"])
    with database.transaction() as connection:
        [kept] = connection.execute("SELECT financing_long, financing_short FROM instruments").fetchall()
    assert (kept["financing_long"], kept["financing_short"]) == (terms.financing_long_rate, terms.financing_short_rate)
    assert terms.financing_long_rate != 0
