"""The Telegram bot: it obeys its chats only, and halts after it has asked once."""

from collections.abc import Iterator

import pytest
from tests.support.telegram import FOREIGN, MINE, Telegram

from sep_trader.ops.telegram import Bot


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    """In Telegram's place."""
    started = Telegram()
    yield started
    started.server.shutdown()
    started.server.server_close()


def bot_of(telegram: Telegram, halts: list[str]) -> Bot:
    def halt(by: str) -> str:
        halts.append(by)
        return "halted"

    return Bot(telegram.url, "123:SECRET", frozenset({MINE}), {"status": lambda: "fine"}, halt)


def test_it_answers_its_own_chats_once(telegram: Telegram) -> None:
    bot = bot_of(telegram, [])
    telegram.say("/status")
    telegram.say("/status", FOREIGN)
    telegram.say("/status@sep_bot")
    telegram.say("hello")
    bot.poll(0)
    bot.poll(1)
    assert telegram.said == [(MINE, "fine"), (MINE, "fine"), (MINE, "I know /status, /open, /daily, /halt.")]


@pytest.mark.parametrize(
    ("said", "halts"),
    [
        (["/halt"], []),
        (["/halt", "yes"], ["ann (Telegram)"]),
        (["/halt", "YES"], ["ann (Telegram)"]),
        (["/halt", "no", "yes"], []),
        (["yes"], []),
        (["/halt", "yes", "yes"], ["ann (Telegram)"]),
    ],
)
def test_a_halt_is_confirmed_once(telegram: Telegram, said: list[str], halts: list[str]) -> None:
    done: list[str] = []
    bot = bot_of(telegram, done)
    for text in said:
        telegram.say(text)
    telegram.say("/halt", FOREIGN)
    telegram.say("yes", FOREIGN)
    bot.poll(0)
    assert done == halts


def test_a_confirmation_after_a_minute_is_none(telegram: Telegram) -> None:
    done: list[str] = []
    bot = bot_of(telegram, done)
    telegram.say("/halt")
    bot.poll(0)
    telegram.say("yes")
    bot.poll(61)
    assert done == []


def test_the_token_stands_in_no_error(telegram: Telegram) -> None:
    telegram.status = 401
    with pytest.raises(Exception, match="getUpdates") as told:
        bot_of(telegram, []).poll(0)
    assert "SECRET" not in str(told.value)
