import pytest

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.oanda.hosts import hosts
from sep_trader.errors import InputError


def test_practice_and_live_are_different_hosts() -> None:
    practice, live = hosts("practice"), hosts("LIVE")
    assert practice == ("https://api-fxpractice.oanda.com", "https://stream-fxpractice.oanda.com")
    assert live == ("https://api-fxtrade.oanda.com", "https://stream-fxtrade.oanda.com")


def test_an_unknown_environment_is_refused_with_a_hint() -> None:
    with pytest.raises(InputError, match="OANDA_API_URL"):
        hosts("demo")


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(InputError, match="starts with https://"):
        OandaClient(api_url="api-fxtrade.oanda.com", stream_url="https://x", token="T", account_id="A")
