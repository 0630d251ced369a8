"""Where strategies come from: a name that a package registered, or FILE.py:NAME."""

import hashlib
import inspect
import itertools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from sep_trader.errors import InputError
from sep_trader.strategies.port import Strategy, strategy

GROUP = "sep_trader.strategies"
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Found:
    """A strategy and where it came from. text: FILE.py:NAME with the absolute path, or a registered name. sha256: of
    its source file: a changed file is another strategy."""

    strategy: Strategy
    text: str
    sha256: str

    def __eq__(self, other: object) -> bool:
        """Whether both are of the same name and source, wherever they lie."""
        return isinstance(other, Found) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[str, str]:
        return self.strategy.name, self.sha256

    def __reduce__(self) -> Any:
        """A process of its own finds it again: functions of loaded files cannot be sent."""
        return find_again, (self.to_json(),)

    def to_json(self) -> dict[str, str]:
        """As a model or a run keeps it."""
        return {"from": self.text, "name": self.strategy.name, "sha256": self.sha256}


def find(text: "str | Strategy | Callable[..., Any]") -> Found:
    """Load a strategy by its name or path, or take one as it is. Raises InputError that says what was expected."""
    if not isinstance(text, str):
        made = text if isinstance(text, Strategy) else strategy(text)
        return Found(made, f"({made.name})", hashlib.sha256(_source(made.function).encode()).hexdigest())
    path, colon, name = text.rpartition(":")
    if colon:
        return _of_file(Path(path), name)
    known = {one.name: one for one in entry_points(group=GROUP)}
    if text not in known:
        raise InputError(f"no strategy '{text}'", f"FILE.py:NAME, or one of {', '.join(sorted(known))}")
    loaded = known[text].load()
    module = sys.modules[getattr(loaded, "function", loaded).__module__]
    return Found(_strategy(loaded, text, module), text, _sha(Path(inspect.getfile(module))))


def find_again(given: Mapping[str, str]) -> Found:
    """Load what `to_json` names. Raises InputError where it is gone or was changed: nothing of it is run then."""
    text = given["from"]
    path, colon, _ = text.rpartition(":")
    if colon and Path(path).is_file() and _sha(Path(path)) != given["sha256"]:
        raise _changed(text)
    found = find(text)
    if found.sha256 != given["sha256"]:
        raise _changed(text)
    return found


def _changed(text: str) -> InputError:
    return InputError(f"strategy {text} was changed since it was trained", "train again, or bring the old file back")


def registered_names() -> list[str]:
    """Names that packages registered."""
    return sorted(one.name for one in entry_points(group=GROUP))


def _of_file(path: Path, name: str) -> Found:
    if not path.is_file():
        raise InputError(f"no strategy file {path}", "FILE.py:NAME")
    whole = path.resolve()
    spec = spec_from_file_location(f"sep_strategy_{next(_NUMBERS)}", whole)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file", "FILE.py:NAME")
    module = module_from_spec(spec)
    sys.path.insert(0, str(whole.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path} cannot be loaded: {type(error).__name__}: {error}", "mend the file") from error
    finally:
        sys.path.remove(str(whole.parent))
    if not hasattr(module, name):
        mine = sorted(key for key, one in vars(module).items() if isinstance(one, Strategy))
        raise InputError(f"{path} has no '{name}'", f"one of {', '.join(mine)}" if mine else "FILE.py:NAME")
    return Found(_strategy(getattr(module, name), name, module), f"{whole}:{name}", _sha(whole))


def _strategy(loaded: object, name: str, module: ModuleType) -> Strategy:
    """A strategy as it is, or made of a plain function; its grid is its attribute `grid`, or GRID of its module."""
    if isinstance(loaded, Strategy):
        return loaded
    if not callable(loaded):
        raise InputError(f"'{name}' is no strategy", "a function of candles and keyword parameters")
    grid = getattr(loaded, "grid", None) or getattr(module, "GRID", None)
    made = strategy(loaded, grid=grid)
    if not isinstance(made, Strategy):
        raise InputError(f"'{name}' is no strategy", "a function of candles and keyword parameters")
    return made


def _source(function: Callable[..., Any]) -> str:
    """The text of a function, or its code where there is no text."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return repr(getattr(getattr(function, "__code__", None), "co_code", function))


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
