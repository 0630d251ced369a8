"""Where OANDA listens: one pair of addresses for practice accounts, one for live ones."""

from sep_trader.errors import InputError

_HOSTS = {
    "practice": ("https://api-fxpractice.oanda.com", "https://stream-fxpractice.oanda.com"),
    "live": ("https://api-fxtrade.oanda.com", "https://stream-fxtrade.oanda.com"),
}


def hosts(environment: str) -> tuple[str, str]:
    """Return (REST address, stream address) of `practice` or `live`; raises InputError for any other name.

    Source: OANDA's v20 development guide.
    """
    try:
        return _HOSTS[environment.lower()]
    except KeyError:
        raise InputError(
            f"no known addresses for the OANDA environment '{environment}'",
            "practice or live; for any other set OANDA_API_URL and OANDA_STREAM_URL",
        ) from None
