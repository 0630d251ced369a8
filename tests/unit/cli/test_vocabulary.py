"""One vocabulary: the same word in every command, old words understood, and an example that works in every help."""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from sep_trader.cli.examples import EXAMPLES
from sep_trader.cli.lazy import COMMANDS, load
from sep_trader.cli.main import app
from sep_trader.cli.vocabulary import OPTION_ALIASES, understood

NO_JSON = {
    "trade standby",
    "trade run",
    "serve",
    "exchange serve",
    "alert watch",
    "alert say",
    "alert unit",
    "alert daily",
    "report",
    "exchange market",
    "results receipt",
    "results export",
}
"""Commands that run until they are ended, or whose product is a file or a message."""


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its name."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, one in below.items():
        yield from leaves(one, f"{path} {name}")


ALL = {path: command for name in COMMANDS for path, command in leaves(load(name), name)}


def words(command: Any) -> set[str]:
    return {word for one in command.params for word in one.opts if word.startswith("--")}


def test_every_command_has_examples_and_no_other_has() -> None:
    assert set(EXAMPLES) == set(ALL)


@pytest.mark.parametrize("path", sorted(EXAMPLES))
def test_each_example_is_understood(path: str) -> None:
    for line in EXAMPLES[path]:
        given = shlex.split(line.removeprefix("psql $(").removesuffix(")"))
        assert given[0] == "sep"
        assert " ".join(given[1:]).startswith(path)
        rest = given[1 + len(path.split()) :]
        # It raises for an unknown option, a value of another type, and an argument too many or too few.
        assert ALL[path].make_context(path, rest).params is not None


def test_the_help_shows_them() -> None:
    shown = CliRunner().invoke(app, ["data", "gaps", "--help"]).output
    assert "sep data gaps --pair EUR_USD -g H1 --from 2024-01-01" in shown.replace("\n", " ")


def test_every_command_that_answers_has_json() -> None:
    assert {path for path, one in ALL.items() if "--json" not in words(one)} == NO_JSON


@pytest.mark.parametrize("old", ["--instrument", "--start", "--end", "--since", "--until"])
def test_no_command_shows_an_old_word(old: str) -> None:
    # The exchange's clock starts somewhere: that is no span of data.
    assert {path for path, one in ALL.items() if old in words(one)} <= {"exchange serve", "exchange market"}


@pytest.mark.parametrize(
    ("command", "given", "expected"),
    [
        ("train", ["EUR_USD", "--start", "2024-01-01"], ["EUR_USD", "--from", "2024-01-01"]),
        ("data", ["gaps", "--instrument=EUR_USD"], ["gaps", "--pair=EUR_USD"]),
        ("data", ["download", "--pairs", "EUR_USD,USD_JPY"], ["download", "--pair", "EUR_USD,USD_JPY"]),
        ("trade", ["ledger", "--since", "2026-01-01"], ["ledger", "--from", "2026-01-01"]),
        ("data", ["import", "--", "--instrument"], ["import", "--", "--instrument"]),
        ("exchange", ["serve", "--start", "x"], ["serve", "--start", "x"]),
    ],
)
def test_old_words_are_understood(command: str, given: list[str], expected: list[str]) -> None:
    assert understood(command, given) == expected


def test_each_alias_stands_for_a_word_that_some_command_knows() -> None:
    for command, aliases in OPTION_ALIASES.items():
        known = set().union(*(words(one) for path, one in ALL.items() if path.split()[0] == command))
        assert set(aliases.values()) & known, command


def test_a_command_may_be_written_with_a_dash() -> None:
    assert CliRunner().invoke(app, ["generate-signals", "--help"]).exit_code == 0


@pytest.mark.parametrize(
    "line",
    [
        "data gaps --pair EUR_USD --from 2027-01-01 --to 2026-01-01",
        "data download --pair EUR_USD --from 2027-01-01 --to 2026-01-01",
        "data repair --pair EUR_USD --from 2027-01-01 --to 2026-01-01",
        "data export x.csv --pair EUR_USD --from 2027-01-01 --to 2026-01-01",
        "train EUR_USD --from 2027-01-01 --to 2026-01-01",
        "train-all --from 2027-01-01 --to 2026-01-01",
        "backtest EUR_USD --from 2027-01-01 --to 2026-01-01",
        "report --live --from 2027-01-01 --to 2026-01-01 --out x.html",
        "trade ledger --from 2027-01-02 --to 2027-01-01",
        "trade replay --pair EUR_USD --from 2027-01-01T00:00:00Z --to 2026-01-01T00:00:00Z",
        "logs --from 2027-01-01 --to 2026-01-01",
    ],
)
def test_a_reversed_span_is_refused_in_words(line: str) -> None:
    """Before a database or a broker is asked."""
    done = CliRunner().invoke(app, shlex.split(line))
    assert "2027-01-0" in str(done.exception)
    assert "--from" in str(done.exception)
