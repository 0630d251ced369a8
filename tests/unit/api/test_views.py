"""How figures are shown: pure."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sep_trader.api.access import hash_of, login_link, new_token
from sep_trader.api.buckets import Buckets, place_of
from sep_trader.api.models import ControlChange
from sep_trader.api.reads import with_drawdown, within
from sep_trader.api.tables import Format, sent
from sep_trader.api.views import grouped, money, page_of, price, share, size, span, units, when, words
from sep_trader.errors import InputError


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (money(Decimal("-1234.5"), signed=True), '<span class="num down">-1,234.50</span>'),
        (money(Decimal("0.00"), signed=True), '<span class="num ">+0.00</span>'),
        (money(Decimal(657894)), '<span class="num ">657,894.00</span>'),
        (money(None), '<span class="dim">unknown</span>'),
        (units(Decimal(-657894)), "657,894"), (units(Decimal("0.5")), "0.5"), (units(None), "-"),
        (price(Decimal("1.37000")), "1.37"), (price(None), "-"), (price(Decimal(100)), "100"),
        (words("NOT_READY"), "NOT READY"), (words(None), "-"),
        (span(None), "never"), (span(59), "59 s"), (span(600), "10 min"), (span(36_000), "10 h"),
        (span(864_000), "10 days"),
        (share(Decimal("0.125")), "12.5%"), (share(None), "-"),
        (size(None), "-"), (size(512), "512 B"), (size(2_500), "2 kB"), (size(3.2e6), "3 MB"),
        (size(2.5e10), "25.0 GB"),
    ],
)  # fmt: skip
def test_a_figure(shown: Any, expected: str) -> None:
    assert str(shown) == expected


def test_a_time_carries_utc() -> None:
    assert 'title="2026-11-27 04:05:06 UTC"' in when(datetime(2026, 11, 27, 4, 5, 6, tzinfo=UTC))
    assert "never" in when(None)


def test_sixty_refusals_do_not_hide_the_one_that_was_filled() -> None:
    def signal(at: int, pair: str, status: str, code: str) -> dict[str, Any]:
        return {"id": at, "pair": pair, "status": status, "reason_code": code}

    found = [
        signal(n, "EUR_USD", "EXECUTED" if n == 30 else "REFUSED", "FILLED" if n == 30 else "PAIR_BUSY")
        for n in range(61)
    ]
    found.insert(10, signal(99, "NZD_USD", "REFUSED", "PAIR_BUSY"))
    groups = grouped(found)
    assert [(g.newest["pair"], g.newest["status"], g.count) for g in groups] == [
        ("EUR_USD", "REFUSED", 30), ("NZD_USD", "REFUSED", 1), ("EUR_USD", "EXECUTED", 1), ("EUR_USD", "REFUSED", 30),
    ]  # fmt: skip
    # Two fills in a row are two.
    assert len(grouped([signal(1, "A", "EXECUTED", "FILLED"), signal(2, "A", "EXECUTED", "FILLED")])) == 2


def test_pages() -> None:
    rows = [{"id": n} for n in range(11)]
    assert page_of(rows, 10) == (rows[:10], 9)
    assert page_of(rows[:10], 10) == (rows[:10], None)


def test_a_drawdown_is_against_the_highest_before() -> None:
    rows = [{"account_id": "A", "nav": Decimal(n)} for n in (100, 110, 99, 121)]
    assert [round(one["drawdown"], 3) for one in with_drawdown(rows)] == [0.0, 0.0, 0.1, 0.0]


def test_spans_are_aware_and_forward() -> None:
    aware = datetime(2026, 1, 2, tzinfo=UTC)
    naive = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    assert within(naive, aware) == {"since": datetime(2026, 1, 1, tzinfo=UTC), "until": aware}
    assert within(None, datetime(9999, 1, 1, tzinfo=UTC))["until"] == datetime(2200, 1, 1, tzinfo=UTC)
    with pytest.raises(InputError):
        within(aware, naive)


def test_a_spreadsheet_gets_no_formula() -> None:
    row = {"id": 1, "changed_at": datetime(2026, 1, 1, tzinfo=UTC), "change": "SWITCHED", "pair": None,
           "before": "-1.5",
           "after": "=cmd()", "changed_by": "@x", "reason": 'a "quoted", text'}  # fmt: skip
    lines = sent(ControlChange, [row], Format.CSV).body.decode().splitlines()
    assert lines[0] == "id,changed_at,change,pair,before,after,changed_by,reason"
    assert lines[1] == '1,2026-01-01T00:00:00+00:00,SWITCHED,,-1.5,\'=cmd(),\'@x,"a ""quoted"", text"'


def test_callers_and_their_buckets() -> None:
    assert place_of("2001:db8:1:2:aaaa::1") == place_of("2001:db8:1:2:bbbb::2") != place_of("2001:db8:1:3::1")
    assert place_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert place_of("unix") == "unix"
    buckets = Buckets(per_s=2.0, burst=2)
    assert [buckets.wait_s("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert buckets.wait_s("a", 0.5) == buckets.wait_s("b", 0.0) == 0.0


def test_tokens_are_long_and_links_hold_none() -> None:
    token = new_token()
    assert len(token) == 47 and new_token() != token
    assert token not in login_link("ann", token, "http://x", 0.0)
    assert hash_of(token) not in login_link("ann", token, "http://x", 0.0)
