"""docs/cli.md out of the commands themselves; a test keeps them equal."""

import sys
from collections.abc import Iterator
from typing import Any

from sep_trader.cli.examples import EXAMPLES
from sep_trader.cli.lazy import COMMANDS, load

_HEAD = """# Every command

Made from the commands: `python -m sep_trader.cli.reference > docs/cli.md`. `sep COMMAND --help` says the same.
Times are UTC; `--from` is included, `--to` is not, and a date is its midnight.

| Exit code | It means |
|---|---|
| 0 | done |
| 1 | the answer is no: health found something, a report differs, a pair may not trade |
| 2 | a wrong argument, setting or file |
| 3 | some rows of a file were refused; the good ones are stored, the others listed |
| 4 | the database refused, or cannot be reached |
| 5 | the broker refused, or cannot be reached |
| 6 | a bundle was refused |
| 130 | Ctrl-C |
| 141 | who read the output went away |
"""


def reference() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name in COMMANDS:
        parts += _described(load(name), name)
    return "\n".join(parts)


def _described(command: Any, path: str) -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below is not None:
        for name, one in below.items():
            yield from _described(one, f"{path} {name}")
        return
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    shown = "".join(f" {_argument(one)}" for one in arguments)
    yield f"## sep {path}{shown}"
    yield (command.help or "").replace("\n\n", "\n").strip()
    yield ""
    rows = [
        one for one in command.params if one.param_type_name == "option" and "--help" not in one.opts and not one.hidden
    ]
    if rows:
        yield "| Option | Meaning |\n|---|---|"
        yield from (f"| `{', '.join(one.opts)}` | {_meaning(one)} |" for one in rows)
        yield ""
    yield "\n".join(f"    {line}" for line in EXAMPLES.get(path, []))
    yield ""


def _argument(one: Any) -> str:
    name = (one.metavar or one.name).upper()
    return name if one.required else f"[{name}]"


def _meaning(one: Any) -> str:
    said = (one.help or "").replace("|", "\\|")
    default = one.default
    if callable(default) or default in (None, False, "", ()) or one.is_flag:
        return said
    return f"{said} Default: {default}."


if __name__ == "__main__":
    sys.stdout.write(reference())
