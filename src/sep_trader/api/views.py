"""What the pages show, gathered and rendered on the server. What many watch is rendered once and kept a moment."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup

from sep_trader.api.parts import Parts
from sep_trader.api.status import Storage, is_alive
from sep_trader.store.queries import Row, queries
from sep_trader.version import __version__

_FOLDER = Path(__file__).parent / "templates"
_FRESH_S = 0.8
_STALE_S = 60.0


@dataclass(frozen=True, slots=True)
class Group:
    """Signals of one pair in a row that ended alike: sixty PAIR_BUSY must not hide the one that was filled."""

    newest: Mapping[str, Any]
    count: int
    oldest: Mapping[str, Any]


def grouped(signals: Iterable[Mapping[str, Any]]) -> list[Group]:
    """Signals, newest first, as groups of the same pair, status and reason that follow each other within the pair."""
    groups: list[list[Mapping[str, Any]]] = []
    open_by_pair: dict[str, list[Mapping[str, Any]]] = {}
    for one in signals:
        current = open_by_pair.get(one["pair"])
        if current is not None and _kind(current[-1]) == _kind(one) and one["status"] != "EXECUTED":
            current.append(one)
            continue
        open_by_pair[one["pair"]] = [one]
        groups.append(open_by_pair[one["pair"]])
    return [Group(group[0], len(group), group[-1]) for group in groups]


def _kind(signal: Mapping[str, Any]) -> tuple[Any, ...]:
    return signal["status"], signal["reason_code"]


class Views:
    """Renders pages from one database. Safe between threads."""

    def __init__(self, parts: Parts, storage: Storage) -> None:
        self._parts, self.storage = parts, storage
        self._lock = threading.Lock()
        self._kept: tuple[float, dict[str, Any]] | None = None
        self._environment = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=select_autoescape(["html"]),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "money": money, "units": units, "price": price, "when": when, "words": words, "span": span, "share": share,
            "size": size,
        }  # fmt: skip
        self._environment.globals |= {"version": __version__}

    def page(self, view: str, values: Mapping[str, Any]) -> str:
        """A whole page, with the banners that stand on every page."""
        return self._environment.get_template(f"{view}.html").render({**self.now(), **values, "view": view})

    def bare(self, name: str, **values: Any) -> str:
        """A page that needs no database: login, offline."""
        return self._environment.get_template(f"{name}.html").render(values)

    def live(self) -> str:
        """The part of the overview that lives."""
        return self._environment.get_template("live.html").render(self.now())

    def banners(self) -> str:
        """What nobody may miss."""
        return self._environment.get_template("banners.html").render(self.now())

    def now(self) -> dict[str, Any]:
        """What the overview shows. Raises StoreUnavailable."""
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] >= _FRESH_S:
                self._kept = (time.monotonic(), self._gathered())
            return self._kept[1]

    def _gathered(self) -> dict[str, Any]:
        moment = datetime.now(UTC)
        with self._parts.database.transaction() as connection:
            components = queries.many(connection, "component_status", Row)
            trader = next((c for c in components if c["component"] == "trader"), None)
            recent = queries.many(
                connection, "signals_page", Row, pair=None, status=None, since=moment - timedelta(days=2), until=None,
                before=None, limit=300,
            )  # fmt: skip
            found = self._parts.findings(connection, moment)
            return {
                "at": moment,
                "notice": queries.optional(connection, "notice", str),
                "state": queries.only(connection, "trading_state", Row),
                "trader": trader,
                "trading": is_alive(trader),
                "environment": (trader or {"details": {}})["details"].get("environment"),
                "accounts": queries.many(connection, "seen_accounts", Row),
                "open_trades": queries.many(connection, "open_trades", Row),
                "persons": queries.many(connection, "persons_trades", Row),
                "closed": queries.many(connection, "trades_page", Row, pair=None, since=None, until=None, before=None,
                                       limit=8),
                "pairs": queries.many(connection, "pairs", Row),
                "newest": queries.only(connection, "newest", Row),
                "groups": grouped(recent)[:12],
                "alarms": [one for one in found if not one["ok"]],
                "requests": queries.many(connection, "requests_page", Row, limit=5),
                "stale_s": _STALE_S,
            }  # fmt: skip


def money(value: Decimal | float | None, *, signed: bool = False) -> Markup:
    """An amount with thousands separators; signed ones say which way, by their sign and their colour."""
    if value is None:
        return Markup('<span class="dim">unknown</span>')
    kind = "up" if signed and value > 0 else "down" if signed and value < 0 else ""
    text = f"{value:+,.2f}" if signed else f"{value:,.2f}"
    return Markup('<span class="num {}">{}</span>').format(kind, text)


def units(value: Decimal | None) -> str:
    """A size without its sign: the side stands beside it."""
    return "-" if value is None else f"{abs(value):,f}".rstrip("0").rstrip(".") if value % 1 else f"{abs(value):,.0f}"


def price(value: Decimal | None, none: str = "-") -> str:
    """A price without idle zeros."""
    return none if value is None else f"{value.normalize():f}"


def when(value: datetime | None) -> Markup:
    """A time: the browser shows it in its own zone, and UTC on hover."""
    if value is None:
        return Markup('<span class="dim">never</span>')
    utc = value.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{} UTC</time>').format(
        utc.isoformat(), f"{utc:%Y-%m-%d %H:%M:%S}", f"{utc:%Y-%m-%d %H:%M}"
    )


def words(value: str | None) -> str:
    """A code as words: NOT_READY is NOT READY."""
    return (value or "-").replace("_", " ")


def span(seconds: float | None) -> str:
    """An age as people say it."""
    if seconds is None:
        return "never"
    for limit, unit, name in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:.0f} days"


def share(value: Decimal | float | None) -> str:
    """A share as per cent."""
    return "-" if value is None else f"{float(value):.1%}"


def size(value: float | None) -> str:
    """Bytes as people say them."""
    if value is None:
        return "-"
    for limit, name in ((1e3, "B"), (1e6, "kB"), (1e9, "MB")):
        if value < limit:
            return f"{value / limit * 1e3:.0f} {name}"
    return f"{value / 1e9:.1f} GB"


def page_of(rows: Sequence[Mapping[str, Any]], limit: int) -> tuple[Sequence[Mapping[str, Any]], Any]:
    """The rows of a page, and the id that the next page goes on before; None on the last."""
    return rows[:limit], rows[limit - 1]["id"] if len(rows) > limit else None
