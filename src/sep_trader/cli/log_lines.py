"""The log of a process as lines for people: time, level, event, message, and what belongs to it; no Python in them."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

_FIRST = ("event", "component", "message", "level")


def log_to(stream: TextIO, level: str) -> None:
    """Let the log lines of this process, from a level on, go to a stream; drivers keep their words to themselves."""
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[structlog.processors.add_log_level, _line],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    # Its three lines a try would bury ours, which say the same once.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def log_to_stderr(level: str) -> None:
    """Let them go to standard error."""
    log_to(sys.stderr, level)


def _line(_: object, __: str, found: MutableMapping[str, Any]) -> str:
    return line(datetime.now(UTC), found)


def line(now: datetime, found: Mapping[str, Any]) -> str:
    """One step as one line."""
    rest = " ".join(f"{key}={_shown(value)}" for key, value in found.items() if key not in _FIRST and value is not None)
    words = [f"{now:%Y-%m-%d %H:%M:%S}Z", f"{found.get('level', 'info'):<8}", f"{found['event']}:"]
    return " ".join([*words, str(found.get("message", "")), *([f"[{rest}]"] if rest else [])]).replace("\n", " ")


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    text = str(value)
    return f'"{text}"' if " " in text else text
