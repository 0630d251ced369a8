"""`sep` loads a command when it is called, and its help says what the command says of itself."""

import os
import subprocess
import sys

import pytest

from sep_trader.cli.lazy import COMMANDS, load

# What takes long to import, and what no list of commands needs.
HEAVY = ("numpy", "psycopg", "pydantic", "httpx", "fastapi", "numba", "structlog")
_PRINT_LOADED = (
    "import sys; from sep_trader.cli.main import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
)


def sep(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sep_trader", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    shown = load(name)
    assert COMMANDS[name].help == (shown.help or "").split("\n")[0]
    assert hasattr(shown, "commands") == COMMANDS[name].group


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_nothing_heavy_is_loaded_to_say_which_commands_there_are(arguments: list[str]) -> None:
    command = [sys.executable, "-c", _PRINT_LOADED, *arguments]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stderr.split()
    assert "sep_trader.cli.main" in loaded
    assert [module for module in HEAVY if module in loaded] == []


def test_the_version_costs_little_processor_time() -> None:
    """0.35 s are allowed; a slow machine is measured by an interpreter that does nothing."""

    def cost(*command: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, *command], capture_output=True, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    nothing = min(cost("-c", "pass") for _ in range(3))
    version = min(cost("-m", "sep_trader", "--version") for _ in range(3))
    assert version < max(0.35, 5 * nothing)


def test_the_version_and_the_module_are_the_command() -> None:
    done = sep("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("sep-trader ")


def test_an_unknown_command_is_a_usage_error() -> None:
    done = sep("nonsense")
    assert done.returncode == 2
    assert "No such command 'nonsense'" in done.stderr
