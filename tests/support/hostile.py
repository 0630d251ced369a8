"""Rows that no bundle may bring, each a change of a good one."""

import sys
from collections.abc import Callable
from typing import Any

Files = dict[str, Any]
SIGNAL, PAIR, MODEL, RUN = "trading_signals.json", "trading_pairs.json", "models.json", "research_runs.json"
CANDLE, LEDGER = "candles.json", "research_ledger.json"


def put(file: str, **values: Any) -> Callable[[Files], None]:
    """Change fields of the first row of a file."""

    def change(files: Files) -> None:
        files[file][0] |= values

    return change


def whole(file: str, content: Any) -> Callable[[Files], None]:
    """Put something else in place of a file's rows."""

    def change(files: Files) -> None:
        files[file] = content

    return change


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return found


NAN, INF = float("nan"), float("inf")
ROWS: dict[str, Callable[[Files], None]] = {
    "stop NaN": put(SIGNAL, stop_distance=NAN),
    "stop NaN as text": put(SIGNAL, stop_distance="NaN"),
    "stop infinite": put(SIGNAL, stop_distance=INF),
    "stop infinite as text": put(SIGNAL, stop_distance="Infinity"),
    "stop 1e400": put(SIGNAL, stop_distance="1e400"),
    "stop zero": put(SIGNAL, stop_distance=0),
    "stop negative": put(SIGNAL, stop_distance=-0.001),
    "stop true": put(SIGNAL, stop_distance=True),
    "stop missing": put(SIGNAL, stop_distance=None),
    "stop a list": put(SIGNAL, stop_distance=[1]),
    "target NaN": put(SIGNAL, target_distance=NAN),
    "target negative": put(SIGNAL, target_distance=-1),
    "confidence NaN": put(SIGNAL, confidence=NAN),
    "confidence 2": put(SIGNAL, confidence=2),
    "side 0": put(SIGNAL, side=0),
    "side 2": put(SIGNAL, side=2),
    "side true": put(SIGNAL, side=True),
    "kind unknown": put(SIGNAL, kind="FLATTEN"),
    "pair with a script": put(SIGNAL, pair="<img src=x onerror=alert(1)>"),
    "pair lower case": put(SIGNAL, pair="eur_usd"),
    "pair a megabyte": put(SIGNAL, pair="E" * 1_000_000),
    "pair with a NUL": put(SIGNAL, pair="EUR_US\0"),
    "granularity unknown": put(SIGNAL, granularity="M7"),
    "id no UUID": put(SIGNAL, id="1; DROP TABLE models"),
    "horizon zero": put(SIGNAL, horizon="00:00:00"),
    "horizon negative": put(SIGNAL, horizon="-01:00:00"),
    "horizon of ages": put(SIGNAL, horizon="100000000 years"),
    "horizon of 61 days": put(SIGNAL, horizon="61 days"),
    "expires at infinity": put(SIGNAL, expires_at="infinity"),
    "expires in 2099": put(SIGNAL, expires_at="2099-01-01T00:00:00+00:00"),
    "expires before its candle": put(SIGNAL, expires_at="2020-01-01T00:00:00+00:00"),
    "expires without a zone": put(SIGNAL, expires_at="2026-03-04T05:09:07"),
    "candle at infinity": put(SIGNAL, candle_time="infinity"),
    "candle in the year 20000": put(SIGNAL, candle_time="20000-01-01T00:00:00+00:00"),
    "candle a number": put(SIGNAL, candle_time=1e18),
    "metrics deep": put(SIGNAL, metrics={"a": deep(200)}),
    "metrics infinite": put(SIGNAL, metrics={"a": INF}),
    "metrics with a NUL": put(SIGNAL, metrics={"a": "\0"}),
    "model id with a path": put(SIGNAL, model_id="../../etc/passwd"),
    "signals an object": whole(SIGNAL, {"id": 1}),
    "signals a number": whole(SIGNAL, 7),
    "signals of numbers": whole(SIGNAL, [1, 2]),
    "signals of null": whole(SIGNAL, [None]),
    "too many signals": whole(SIGNAL, [{}] * 20_001),
    "signals deep": whole(SIGNAL, deep(100_000 if sys.version_info < (3, 12) else 5_000)),
    "pair enabled as text": put(PAIR, enabled="yes"),
    "pair updated in 2099": put(PAIR, updated_at="2099-01-01T00:00:00+00:00"),
    "pair updated at infinity": put(PAIR, updated_at="infinity"),
    "pair verdict unknown": put(PAIR, verdict="MAYBE"),
    "pair READY, run NOT_READY": put(RUN, verdict="NOT_READY"),
    "pair account NaN": put(PAIR, account={"e_value": NAN, "threshold": 280}),
    "pair account negative": put(PAIR, account={"e_value": -1, "threshold": 280}),
    "pair account a list": put(PAIR, account=[1]),
    "pair reason of megabytes": put(PAIR, verdict_reason="x" * 3_000_000),
    "model artifact a text": put(MODEL, artifact="stop"),
    "model artifact deep": put(MODEL, artifact={"a": deep(100)}),
    "model run no UUID": put(MODEL, run_id="7"),
    "run verdict unknown": put(RUN, verdict=None),
    "candle upside down": put(CANDLE, low=9.0),
    "candle NaN": put(CANDLE, close=NAN),
    "candle negative": put(CANDLE, open=-1),
    "candle from the future": put(CANDLE, time="2099-01-01T00:00:00+00:00"),
    "candle spread negative": put(CANDLE, spread=-1e-4),
    "ledger of objects": whole(LEDGER, [{"number": 1}]),
    "ledger hash short": whole(LEDGER, [[1, "abc"]]),
    "ledger number text": whole(LEDGER, [["1", "0" * 64]]),
}  # fmt: skip
"""Each is signed by the right key, and MALFORMED."""

OTHERS = {
    "no zip at all, an empty file, a folder, a device": "MALFORMED",
    "a zip of 600 MiB when unpacked, which says so": "MALFORMED, before it is unpacked",
    "the same, whose directory says 10 bytes": "MALFORMED, before it is unpacked",
    "packed by LZMA or BZIP2": "MALFORMED",
    "three bytes flipped, at fourteen places": "MALFORMED, ALTERED or UNSIGNED; or a byte that says nothing",
    "a signed manifest that is empty, {}, [], 7, null, no UTF-8, deep, with NaN": "MALFORMED",
    "a signed manifest whose files are a number, or a hash that is 1": "MALFORMED",
    "no signature": "UNSIGNED",
    "a signature of a key that is not allowed": "FOREIGN_SIGNATURE",
    "a member changed, added or taken away after signing": "ALTERED or MALFORMED",
    "made for another database": "WRONG_TARGET",
    "past its validity": "EXPIRED",
    "made six minutes in the future": "NOT_YET_VALID",
    "accepted before": "REPLAYED",
    "not the one after the last": "REORDERED",
    "the same signal with another horizon, confidence, target or side": "CONFLICT",
    "a ledger of research that is shorter, or another": "LEDGER_SHORTER, LEDGER_FORKED",
    "a second import at the same time": "waits ten seconds, then says so (exit code 4)",
}
"""What is not a row."""


def table() -> str:
    """Every hostile bundle with its code, as a page of the documentation."""
    head = """# Hostile bundles: what is tried, and what becomes of it

Written by `python -m tests.support.hostile`; `.venv/bin/pytest -s tests/integration/handover` tries each, and prints
the peak of memory. The effect is always the same: one line with the code, exit code 6, not a row changed, no traceback.

| In a bundle that the right key signed | Code |
|---|---|
"""
    lines = [f"| {name} | MALFORMED |" for name in ROWS]
    others = ["", "| Otherwise | Code |", "|---|---|", *(f"| {name} | {code} |" for name, code in OTHERS.items())]
    return head + "\n".join([*lines, *others]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
