"""One request as the handlers see it: who asks, about what, with which parameters; and readers of the parameters."""

from dataclasses import dataclass, field
from typing import Any

from sep_trader.exchange.accounts.account import Account
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.market.figures import read_time
from sep_trader.exchange.matching.exchange import Exchange
from sep_trader.exchange.matching.refusals import BadParameter, MissingData

Body = dict[str, Any]
Answer = tuple[int, Body | bytes]


@dataclass(slots=True)
class Call:
    """A request that has been authorised; `accounts` are those its token opens."""

    exchange: Exchange
    accounts: tuple[Account, ...]
    request: str
    path: tuple[str, ...] = ()
    query: dict[str, str] = field(default_factory=dict)
    body: object = None
    base_url: str = ""
    account_found: Account | None = None
    hidden_after: int | None = None
    """A fault hides transactions later than this (ns)."""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Response headers that a handler adds."""

    @property
    def floor(self) -> Floor:
        """The trading floor."""
        return self.exchange.floor

    @property
    def now(self) -> int:
        """Exchange time, ns."""
        return self.exchange.floor.now

    @property
    def account(self) -> Account:
        """The account in the path."""
        if self.account_found is None:
            raise MissingData
        return self.account_found

    def text(self, name: str, default: str | None = None) -> str:
        """A parameter; MissingData if it is needed and absent."""
        value = self.query.get(name, default)
        if value is None or (value == "" and default is None):
            raise MissingData
        return value

    def flag(self, name: str, default: bool) -> bool:
        """A boolean in any capitalisation."""
        value = self.query.get(name)
        if value is None:
            return default
        if value.lower() not in ("true", "false"):
            raise BadParameter(name)
        return value.lower() == "true"

    def whole(self, name: str, default: int | None = None, lowest: int = 0) -> int:
        """A whole number."""
        value = self.query.get(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise MissingData
        if not value.isascii() or not value.isdigit() or int(value) < lowest:
            raise BadParameter(name)
        return int(value)

    def time(self, name: str) -> int | None:
        """A time in either format, ns; None if absent."""
        value = self.query.get(name)
        if value is None:
            return None
        ns = read_time(value)
        if ns is None:
            raise BadParameter(name)
        return ns

    def listed(self, name: str) -> list[str]:
        """A comma-separated list, without empty items."""
        return [item.strip() for item in self.query.get(name, "").split(",") if item.strip()]

    def instruments(self, *, needed: bool = True) -> list[str]:
        """The requested instruments; without a request every instrument, or MissingData where one is `needed`.

        Raises BadParameter for an instrument that is not offered.
        """
        names = self.listed("instruments")
        if not names:
            if needed:
                raise MissingData
            return list(self.floor.instruments)
        for name in names:
            if name not in self.floor.instruments:
                raise BadParameter("instruments")
        return list(dict.fromkeys(names))
