"""A report in a browser: no errors, no network, no sideways scroll, and what it draws answers."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.browser.conftest import SIZES
from tests.support.candles import random_walk
from tests.support.reports import backtest_page, training_page

from sep_trader.store import candles as store
from sep_trader.store.database import Database

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture
def pages(database: Database, tmp_path: Path) -> dict[str, Path]:
    """A report of a training, and one of a backtest."""
    store.load(database, replace(random_walk(14_000, 4), spread=np.zeros(14_000)))
    return {"training": training_page(database, tmp_path), "backtest": backtest_page(database, tmp_path)}


def opened(browser: "Browser", path: Path, size: str, theme: Any) -> "tuple[Page, list[str]]":
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on(
        "request", lambda request: told.append(request.url) if not request.url.startswith(("file:", "data:")) else None
    )
    page.goto(path.as_uri())
    page.wait_for_selector("#trades tr")
    return page, told


@pytest.mark.parametrize("size", SIZES)
def test_a_report_is_whole(browser: "Browser", pages: dict[str, Path], screenshots: Path, size: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for name, path in pages.items():
        for theme in ("light", "dark"):
            page, told = opened(browser, path, size, theme)
            page.wait_for_timeout(300)
            page.screenshot(path=screenshots / f"report-{name}-{size}-{theme}.png", full_page=True)
            assert told == []
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{name} scrolls sideways by {wide}"
            assert page.locator("#candles canvas").count() > 0
            assert page.locator("#equity canvas").count() == 1
            painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            assert painted < 1_000
            serious = [
                one["id"] for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")
            ]
            assert serious == [], f"{name} {theme}: {serious}"
            page.close()


def test_a_trade_is_shown_where_it_was(browser: "Browser", pages: dict[str, Path]) -> None:
    page, told = opened(browser, pages["backtest"], "desktop", "light")
    before = page.locator("#candles").screenshot()
    page.locator("#trades tr").nth(30).click()
    page.wait_for_timeout(700)
    assert page.locator("#candles").screenshot() != before
    rows = page.locator("#trades tr").count()
    page.locator("#more").click()
    assert page.locator("#trades tr").count() > rows
    assert told == []
    page.close()
