"""Every row that a bundle must not bring is refused by name, and good ones are not."""

import copy
import json
from datetime import UTC, datetime

import pytest
from tests.support.hostile import CANDLE, LEDGER, MODEL, PAIR, ROWS, RUN, SIGNAL, Files

from sep_trader.errors import InputError
from sep_trader.handover.rows import checked

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ID = "7f2c9a52-3c1e-4a63-9c0d-0d3f2f1b7c11"
GOOD: Files = {
    SIGNAL: [{
        "id": ID, "pair": "EUR_USD", "model_id": "model-1", "granularity": "M1", "side": -1, "confidence": 0.6,
        "candle_time": "2026-03-04T05:05:00+00:00", "expires_at": "2026-03-04T05:08:00+00:00",
        "horizon": "1 day 02:30:00",
        "stop_distance": 0.00123, "target_distance": None, "metrics": {"flip": 0.12}, "kind": "EXIT",
    }],
    PAIR: [{
        "pair": "EUR_USD", "enabled": True, "model_id": "model-1", "verdict": "READY",
        "updated_at": "2026-03-04T05:06:00Z", "judged_at": "2026-03-04T05:06:00Z", "verdict_reason": "because",
        "account": {"e_value": 300.5, "threshold": 280},
    }],
    MODEL: [{
        "id": "model-1", "pair": "EUR_USD", "granularity": "M1", "run_id": ID, "created_at": "2026-03-04T05:06:00Z",
        "artifact": {"kind": "rule", "values": [1, 2.5, "x", None, True]},
    }],
    RUN: [{
        "id": ID, "pair": "EUR_USD", "granularity": "M1", "verdict": "READY", "reason": "because",
        "first_candle": "2025-03-04T05:06:00Z", "last_candle": "2026-03-04T05:06:00Z",
    }],
    CANDLE: [{
        "instrument": "EUR_USD", "granularity": "M1", "time": "2026-03-04T05:05:00Z", "open": 1.1, "high": 1.2,
        "low": 1.0,
        "close": 1.1, "spread": 0.0001, "volume": 7,
    }],
    LEDGER: [[1, "0" * 64]],
}  # fmt: skip


def test_good_rows_are_taken() -> None:
    for name, rows in GOOD.items():
        assert checked(name, json.dumps(rows), NOW) == rows


@pytest.mark.parametrize("name", sorted(set(ROWS) - {"pair READY, run NOT_READY", "signals deep"}))
def test_each_hostile_row_is_refused_by_name(name: str) -> None:
    files = copy.deepcopy(GOOD)
    ROWS[name](files)
    changed = [file for file in GOOD if files[file] != GOOD[file] or "NaN" in repr(files[file]).replace("nan", "NaN")]
    with pytest.raises(InputError) as caught:
        for file in changed:
            checked(file, json.dumps(files[file]), NOW)
    assert changed[0].removesuffix(".json") in str(caught.value)
    assert len(str(caught.value)) < 300


def test_json_that_is_none() -> None:
    for text in ("", "{", "[NaN]", "[Infinity]", "[" * 200_000):
        with pytest.raises(InputError):
            checked(SIGNAL, text, NOW)


@pytest.mark.parametrize("horizon", ["00:30:00", "1 day", "59 days 23:59:59", "720:00:00", "00:00:30.5"])
def test_spans_as_postgresql_writes_them(horizon: str) -> None:
    rows = [GOOD[SIGNAL][0] | {"horizon": horizon}]
    assert checked(SIGNAL, json.dumps(rows), NOW)
