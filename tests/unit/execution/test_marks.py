"""What is written on our trades can be read back, and nothing else is taken for it."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from tests.support.passes import trade

from sep_trader.execution.codes import reason_of
from sep_trader.execution.marks import Owner, Terms, client_id_of, comment_of, owner_of, tag_of, terms_of
from sep_trader.risk.limits import Reason

END = datetime(2014, 5, 15, 8, 31, tzinfo=UTC)


def test_terms_are_read_back_as_they_were_written() -> None:
    terms = Terms(END, Decimal("0.00100"))
    assert comment_of(terms) == "until 2014-05-15T08:31:00Z stop 0.00100"
    assert terms_of(comment_of(terms)) == terms
    assert len(comment_of(Terms(END.replace(microsecond=123456), Decimal("1E-8")))) < 128


@pytest.mark.parametrize(
    "text",
    [
        None, "", "by hand", "until soon stop 0.001", "until 2014-05-15T08:31:00Z stop much",
        "until 2014-05-15T08:31:00Z stop NaN", "until 2014-05-15T08:31:00Z stop 0",
        "until 2014-05-15T08:31:00Z stop -1",
        "until 2014-05-15T08:31:00Z stop 0.001 more", "since 2014-05-15T08:31:00Z stop 0.001",
        "until 2014-05-15T08:31:00Z halt 0.001",
    ],
)  # fmt: skip
def test_other_comments_are_no_terms(text: str | None) -> None:
    assert terms_of(text) is None


def test_whose_a_trade_is() -> None:
    assert client_id_of(UUID(int=10)) == "sep-0000000000000000000000000000000a"
    assert tag_of("db-1") == "sep:db-1"
    assert owner_of(trade(tag="sep:db-1"), "db-1") is Owner.OURS
    assert owner_of(trade(tag="sep:db-2"), "db-1") is Owner.ANOTHER
    assert owner_of(trade(tag="sep:db-2"), None) is Owner.OURS
    assert owner_of(trade(tag=None), "db-1") is Owner.OURS, "of a version that wrote no tag"
    assert owner_of(trade(ours=False), "db-1") is Owner.PERSON
    assert owner_of(trade(ours=False, client_id="mine-1", tag="notes"), "db-1") is Owner.PERSON


def test_the_brokers_words_become_our_codes() -> None:
    """Finding D6: a reason code was the name of a class of the broker's."""
    assert reason_of("MARKET_HALTED") is Reason.MARKET_CLOSED
    assert reason_of("BOUNDS_VIOLATION") is Reason.PRICE_MOVED
    assert reason_of("oanda::rest::core::InvalidParameterException") is Reason.BROKER_REFUSED
