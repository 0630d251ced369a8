"""JSON values as they come back from a file or a table: lists for tuples, strings for names. Pure."""

import json
from typing import Any


def plain(value: Any) -> Any:
    """The value as it will be read again."""
    return json.loads(json.dumps(value, default=str))
