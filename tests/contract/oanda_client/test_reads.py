"""What the client reads from the exchange, in both formats of time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.port import BrokerNotFound
from sep_trader.errors import BrokerAuthError, BrokerError
from sep_trader.market.granularity import Granularity

NOON = datetime(2014, 5, 5, 12, tzinfo=UTC)


def test_a_fresh_account(client: OandaClient) -> None:
    assert client.account_id in [account.account_id for account in client.accounts()]
    summary = client.summary()
    assert summary.account_id == client.account_id
    assert summary.nav == summary.balance == Decimal(100000)
    record = client.transactions_since(0)
    assert record.complete_since(0)
    assert record.last_id == summary.last_transaction_id
    assert [*client.open_trades(), *client.pending_orders(), *client.positions()] == []


def test_the_terms_of_an_instrument(client: OandaClient) -> None:
    (euro,) = client.instruments(["EUR_USD"])
    assert (euro.name, euro.tick, euro.pip) == ("EUR_USD", Decimal("0.00001"), Decimal("0.0001"))
    assert sum(euro.financing_days) == 7
    assert euro.name in [item.name for item in client.instruments()]


def test_prices_with_their_conversion(client: OandaClient) -> None:
    pricing = client.pricing(["EUR_USD"])
    (price,) = pricing.prices
    assert price.tradeable
    assert price.bid < price.ask
    assert price.time <= pricing.time
    assert pricing.home_conversions["USD"] == (Decimal(1), Decimal(1))
    gain, loss = pricing.home_conversions["EUR"]
    assert gain < (price.bid + price.ask) / 2 < loss


def test_candles_page_after_page_are_the_candles_of_the_whole(client: OandaClient) -> None:
    start, end = NOON - timedelta(hours=6), NOON - timedelta(hours=1)
    whole = client.candles("EUR_USD", Granularity.M1, start=start, end=end)
    assert len(whole) > 250
    assert whole.time[0] >= start.timestamp() and whole.time[-1] < end.timestamp()
    assert np.all(np.diff(whole.time) > 0)
    assert np.all(whole.bid_low <= whole.bid_high) and np.all(whole.bid_close <= whole.ask_close)
    times = [whole.time[:1]]
    while True:
        last = datetime.fromtimestamp(int(times[-1][-1]), UTC)
        page = client.candles("EUR_USD", Granularity.M1, start=last, end=end, count=60, include_first=False)
        if not len(page):
            break
        times.append(page.time)
    assert len(times) > 4
    assert np.concatenate(times).tolist() == whole.time.tolist()


def test_an_end_in_the_exchanges_future_gives_what_there_is(client: OandaClient) -> None:
    start = NOON - timedelta(minutes=10)
    found = client.candles("EUR_USD", Granularity.M1, start=start, end=NOON + timedelta(days=30))
    assert 5 <= len(found) <= 10 + (client.pricing(["EUR_USD"]).time - NOON).total_seconds() / 60


def test_both_formats_of_time_say_the_same(connect: Callable[..., OandaClient]) -> None:
    one, other = connect(), connect(datetime_format="UNIX")
    assert one.pricing(["EUR_USD"]) == other.pricing(["EUR_USD"])
    assert [item.time for item in one.transactions_since(0).items] == [
        item.time for item in other.transactions_since(0).items
    ]
    span: dict[str, Any] = {"start": NOON - timedelta(minutes=30), "end": NOON}
    first = one.candles("EUR_USD", Granularity.M5, **span)
    second = other.candles("EUR_USD", Granularity.M5, **span)
    assert len(first) == 6
    assert first.time.tolist() == second.time.tolist()


def test_what_is_not_there(client: OandaClient) -> None:
    with pytest.raises(BrokerNotFound):
        client.trade(999999)
    with pytest.raises(BrokerNotFound):
        client.trade_of("nobody")
    with pytest.raises(BrokerNotFound):
        client.transaction(999999)
    with pytest.raises(BrokerError):
        client.pricing(["XXX_YYY"])


def test_a_wrong_token_and_a_wrong_account(connect: Callable[..., OandaClient]) -> None:
    with pytest.raises(BrokerAuthError, match="token"):
        connect(token="WRONG").summary()
    with pytest.raises(BrokerAuthError, match="OANDA_ACCOUNT_ID"):
        connect(account_id="101-001-9999999-001").summary()
