"""One word for one thing in every command: --pair, --from, --to. Words of earlier releases are understood, too."""

from collections.abc import Sequence

COMMAND_ALIASES = {"generate-signals": "generate_signals", "train_all": "train-all"}
_SPAN = {"--start": "--from", "--end": "--to", "--since": "--from", "--until": "--to"}
_PAIR = {"--instrument": "--pair", "--pairs": "--pair"}
OPTION_ALIASES: dict[str, dict[str, str]] = {
    "train": _SPAN,
    "train-all": _SPAN,
    "backtest": _SPAN,
    "report": _SPAN,
    "generate_signals": _PAIR,
    "data": _SPAN | _PAIR,
    "trade": _SPAN | _PAIR,
    "research": _SPAN | _PAIR,
    "qfh": _PAIR,
    "logs": _SPAN | _PAIR,
}
"""By command: an old word, and the word that it stands for."""


def understood(command: str, arguments: Sequence[str]) -> list[str]:
    """The arguments of a command in the words of today. What follows `--` is left as it is."""
    aliases = OPTION_ALIASES.get(command, {})
    words: list[str] = []
    for position, word in enumerate(arguments):
        if word == "--":
            return [*words, *arguments[position:]]
        name, sign, value = word.partition("=")
        words.append(f"{aliases[name]}{sign}{value}" if name in aliases else word)
    return words
