"""JSON documents that a command is given as a file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sep_trader.errors import InputError

T = TypeVar("T")


def read_document(path: Path, what: str, read: Callable[[Any], T], hint: str = "") -> T:
    """What `read` makes of a file's JSON. Raises InputError that names the file and what it was to be."""
    try:
        return read(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no {what}: {error}", hint) from None
