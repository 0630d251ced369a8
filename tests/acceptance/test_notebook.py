"""docs/notebook.md runs as it is printed."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.support.candles import random_walk

from sep_trader.store import candles as store
from sep_trader.store.database import Database

DOCUMENT = Path(__file__).parents[2] / "docs" / "notebook.md"
PROOFS = """
assert len(candles) == 9_000
assert len(hours) < 9_000 / 59
assert set(table.columns) >= {"time", "null", "rupture", "entropy", "collapse"}
assert one.statistics.trades == len(one.trades.to_pandas()) > 20
assert abs(one.statistics.net_pips - one.trades.net_pips.sum()) < 1e-9
same = tried.to_pandas().query("fast == 20 and slow == 100").iloc[0]
assert same.trades == one.statistics.trades
assert abs(same.net_pips - one.statistics.net_pips) < 2.0, "levels of whole ticks differ by a fraction of a pip"
assert daily.index.freqstr == "D"
assert len(walked.chosen) >= 1
from pathlib import Path
assert Path("EUR_USD.html").stat().st_size < 1_000_000
import pytest
with pytest.raises(sep.notebook.InputError, match="has not been trained"):
    sep.verdict("EUR_USD")
print("all of it ran")
"""


def test_the_document_runs_as_printed(database: Database, tmp_path: Path) -> None:
    walk = random_walk(9_000, 3)
    store.load(database, replace(walk, spread=np.full(len(walk), np.nan)))
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.S)
    assert len(blocks) == 3
    script = tmp_path / "notebook.py"
    script.write_text("\n".join([*blocks, PROOFS]))
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("all of it ran")
