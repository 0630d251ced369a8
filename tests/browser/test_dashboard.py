"""The dashboard in a browser: every view whole and live, at night and on a phone; a halt in two taps; a dead server."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.browser.conftest import SIZES
from tests.integration.api.test_control import trading
from tests.integration.execution.conftest import World, world_at
from tests.support.candles import random_walk
from tests.support.serving import parts_for, served, token_of
from tests.support.trades import opened

from sep_trader.api.access import Role, login_link
from sep_trader.store import candles as store
from sep_trader.store.database import Database

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
VIEWS = {
    "overview": "/", "pairs": "/pairs", "pair": "/pairs/EUR_USD", "performance": "/performance", "signals": "/signals",
    "trades": "/trades", "storage": "/storage", "logs": "/logs", "changes": "/changes", "settings": "/settings",
}  # fmt: skip


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    """A house that has traded: an open trade, a closed one, refused signals, candles, equity of a week."""
    with world_at(database) as made:
        trader = made.trader()
        opened(made, trader)
        made.execute("UPDATE trading_requests SET status = 'DONE'")
        candles = random_walk(3_000, 4, price=1.37)
        store.load(database, replace(candles, spread=candles.spread * 0 + 0.0001))
        fill(made)
        yield made


def fill(world: World) -> None:
    """What a week leaves behind."""
    now = datetime.now(UTC)
    world.execute(
        "INSERT INTO account_equity SELECT '101-001-0000001-001', %s - n * interval '10 min', 100000 + n,"
        " 100000 + n + 80 * sin(n / 20.0), 400, 1 FROM generate_series(1, 900) n ON CONFLICT DO NOTHING",
        now,
    )
    for number in range(61):
        filled = number == 30
        world.execute(
            "INSERT INTO trading_signals (id, pair, origin, granularity, candle_time, side, confidence, metrics,"
            " stop_distance, horizon, expires_at, status, reason_code, reason, decided_at)"
            " VALUES (%s, 'EUR_USD', 'probe', 'M1', %s, %s, 0.5, '{}', 0.002, '30 min', %s, %s, %s, %s, now())",
            uuid.uuid4(), now - timedelta(minutes=number + 1), 1 if number % 2 else -1, now,
            "EXECUTED" if filled else "REFUSED", "FILLED" if filled else "PAIR_BUSY",
            None if filled else "EUR_USD has an open trade or an unsettled order",
        )  # fmt: skip
    signal = uuid.uuid4()
    world.execute(
        "INSERT INTO trading_signals (id, pair, origin, granularity, candle_time, side, confidence, metrics,"
        " stop_distance, horizon, expires_at, status, reason_code) VALUES"
        " (%s, 'EUR_USD', 'probe', 'M1', %s, 1, 0.5, '{}', 0.002, '30 min', %s, 'EXECUTED', 'FILLED')",
        signal,
        datetime(2014, 5, 15, 8, tzinfo=UTC),
        now,
    )
    world.execute(
        "INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, open_units, intent_time,"
        " intent_transaction_id, expected_price, trade_id, entry_time, entry_price, exit_time, exit_price, exit_reason,"
        " gross_pl, stop_distance) VALUES (%s, 'old', 'EUR_USD', 'old', 'CLOSED', 657894, 0, %s, 1, 1.37, 5, %s,"
        " 1.37, %s, 1.3712, 'TAKE_PROFIT', 789.47, 0.002)", signal, datetime(2014, 5, 15, 8, 1, tzinfo=UTC),
        datetime(2014, 5, 15, 8, 1, tzinfo=UTC), datetime(2014, 5, 15, 8, 31, tzinfo=UTC))  # fmt: skip


@pytest.fixture
def address(world: World) -> Iterator[str]:
    with served(parts_for(world.database)) as found:
        yield found


class Window:
    """A browser's window that came in by a link, and what it complained of."""

    def __init__(
        self, browser: "Browser", address: str, token: str, size: str = "desktop", theme: Any = "light"
    ) -> None:
        width, height = SIZES[size]
        # Without the worker, so that what a page asks for is the server's own answer.
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, service_workers="block"
        )
        self.page: Page = self.context.new_page()
        self.told: list[str] = []
        self.page.on("console", lambda m: self._hear(m.type, m.text))
        self.page.on("pageerror", lambda error: self.told.append(str(error)))
        self.page.on("request", lambda r: None if r.url.startswith((address, "data:")) else self.told.append(r.url))
        self.page.goto(login_link("tester", token, address, time.time()))
        self.page.wait_for_selector("#live")

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "blocked by Playwright" not in text:
            self.told.append(text)


def sideways(page: "Page") -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def too_wide(page: "Page") -> list[str]:
    """What reaches beyond the window's edge."""
    every = "[...document.querySelectorAll('main *, .banner, .who, footer *')]"
    wide = "filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
    return list(page.evaluate(f"{every}.{wide}.slice(0, 5).map(e => e.outerHTML.slice(0, 120))"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_is_whole(
    browser: "Browser", world: World, address: str, screenshots: Path, size: str, theme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    window = Window(browser, address, token_of(world.database), size, theme)
    with trading(world.traders[0]):
        for name, path in VIEWS.items():
            window.page.goto(address + path)
            if name == "pair":
                window.page.wait_for_selector("#qfh canvas")
            window.page.wait_for_timeout(700 if name in ("overview", "pair", "performance") else 150)
            window.page.screenshot(path=screenshots / f"{name}-{size}-{theme}.png", full_page=True)
            assert window.told == [], name
            assert sideways(window.page) <= 0, f"{name} scrolls sideways: {too_wide(window.page)}"
            found = Axe().run(window.page).response["violations"]
            serious = [
                (one["id"], [node["html"][:120] for node in one["nodes"][:3]])
                for one in found if one["impact"] in ("serious", "critical")
            ]  # fmt: skip
            assert serious == [], name
            if name == "pair":
                assert "1 closed trades" in (window.page.text_content("#chart-note") or "")
    window.context.close()


def test_a_phone_shows_money_and_reasons(browser: "Browser", world: World, address: str) -> None:
    window = Window(browser, address, token_of(world.database), "phone")
    for text in ("NAV", "Open profit or loss", "Today"):
        assert window.page.get_by_text(text, exact=True).first.is_visible()
    width = SIZES["phone"][0]
    cells = window.page.locator("#live td[data-label=Profit], #live td[data-label=Why], #live td[data-label=Net]")
    assert cells.count() >= 3
    for at in range(cells.count()):
        box = cells.nth(at).bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width
    # Sixty refusals stand together; the one that was filled is not hidden.
    shown = window.page.text_content("#live") or ""
    assert "× 30" in shown
    assert "EXECUTED" in shown
    assert "657,894" in shown and "-657" not in shown
    window.context.close()


def test_a_halt_in_two_taps_says_what_happened(
    browser: "Browser", world: World, address: str, screenshots: Path
) -> None:
    window = Window(browser, address, token_of(world.database), "phone", "dark")
    page = window.page
    with trading(world.traders[0]):
        page.click("button:has-text('Halt')")
        assert world.row("SELECT state FROM trading_state")["state"] == "ACTIVE", "one tap changes nothing"
        page.click("button:has-text('Tap again: HALT')")
        page.wait_for_selector("#answer:has-text('trading is HALTED')", timeout=12_000)
        page.wait_for_selector("#banners .banner.bad:has-text('TRADING IS HALTED')", timeout=5_000)
    page.screenshot(path=screenshots / "halted-phone-dark.png")
    assert world.row("SELECT state, changed_by FROM trading_state") == {"state": "HALTED", "changed_by": "tester"}
    assert window.told == []
    window.context.close()


def test_a_tap_that_is_not_repeated_is_forgotten(browser: "Browser", world: World, address: str) -> None:
    window = Window(browser, address, token_of(world.database))
    window.page.click("button:has-text('Halt')")
    window.page.wait_for_selector("button:text-is('Halt')", timeout=8_000)
    assert world.row("SELECT count(*) AS n FROM trading_requests WHERE kind = 'halt'")["n"] == 0
    window.context.close()


def test_what_changes_is_seen_without_a_reload(browser: "Browser", world: World, address: str) -> None:
    window = Window(browser, address, token_of(world.database))
    world.execute("UPDATE trading_state SET state = 'REDUCING', changed_by = 'daily loss limit', reason = '-3.1 %%'")
    window.page.wait_for_selector("#banners .banner.warn:has-text('daily loss limit')", timeout=6_000)
    window.context.close()


def test_a_reader_sees_no_buttons(browser: "Browser", world: World, address: str) -> None:
    token = token_of(world.database, "tester", Role.READ)
    window = Window(browser, address, token)
    assert window.page.locator("button.act:not(.small)").count() == 0
    window.context.close()


def test_a_dead_server_is_shown_as_dead(browser: "Browser", world: World, screenshots: Path) -> None:
    """The green of before must not stay as it was."""
    token = token_of(world.database)
    with served(parts_for(world.database)) as address:
        window = Window(browser, address, token)
        window.page.wait_for_selector("#fresh:has-text('live')", timeout=6_000)
        assert window.page.locator("#dead").is_hidden()
    window.page.wait_for_selector("#dead:not([hidden])", timeout=20_000)
    assert "NO ANSWER" in (window.page.text_content("#dead") or "")
    window.page.screenshot(path=screenshots / "dead-desktop-light.png")
    window.context.close()


def test_a_database_that_is_away_is_said_so(browser: "Browser", world: World, address: str) -> None:
    window = Window(browser, address, token_of(world.database))
    window.page.wait_for_selector("#fresh:has-text('live')", timeout=6_000)
    world.database.close()
    window.page.wait_for_selector("#dead:has-text('DATABASE DOES NOT ANSWER')", timeout=20_000)
    window.context.close()


def test_the_first_paint_is_quick_on_a_slow_machine(browser: "Browser", world: World, address: str) -> None:
    window = Window(browser, address, token_of(world.database), "phone")
    session = window.context.new_cdp_session(window.page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    painted = []
    for _ in range(3):
        window.page.goto(address)
        entry = "performance.getEntriesByName('first-contentful-paint')[0]"
        window.page.wait_for_function(entry)
        painted.append(window.page.evaluate(f"{entry}.startTime"))
    print(f"first paint at a quarter of the speed: {sorted(painted)[1]:.0f} ms")
    assert sorted(painted)[1] < 500
    window.context.close()


def test_the_last_state_is_readable_without_a_connection(browser: "Browser", world: World) -> None:
    token = token_of(world.database)
    context = browser.new_context()
    page = context.new_page()
    with served(parts_for(world.database)) as address:
        page.goto(login_link("tester", token, address, time.time()))
        page.wait_for_selector("#live")
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.reload()
        page.wait_for_selector("#live")
        page.wait_for_function("caches.keys().then(n => n.length > 0)")
        page.wait_for_timeout(500)
    with pytest.raises(httpx.HTTPError):
        httpx.get(address)
    page.reload()
    page.wait_for_selector("#live", timeout=10_000)
    page.wait_for_selector("#dead:not([hidden])", timeout=20_000)
    assert "NAV" in (page.text_content("#live") or "")
    context.close()


def test_the_door_and_its_refusal(browser: "Browser", world: World, address: str, screenshots: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(address + "/trades")
    page.fill("input[name=token]", "wrong")
    page.click("button")
    assert page.get_by_role("alert").is_visible()
    page.screenshot(path=screenshots / "login-phone-light.png")
    page.fill("input[name=token]", token_of(world.database))
    page.click("button")
    page.wait_for_url("**/trades")
    page.close()
