"""Cheap figures of docs/claims.md are made again: the verdicts on the recorded hourly candles."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from sep_trader.store.database import Database

CLAIMS = Path(__file__).parents[2] / "docs" / "claims.md"
PAIRS = {"EUR_USD": "eurusd", "NZD_USD": "nzdusd"}


def claimed() -> dict[str, dict[str, str]]:
    """The table of verdicts as the document prints it, by pair and row."""
    text = CLAIMS.read_text()
    table = text[text.index("| | EUR_USD | NZD_USD |\n|---|---|---|\n| verdict") :].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {pair: {row[0]: row[at] for row in rows} for at, pair in enumerate(PAIRS, 1)}


def test_the_verdicts_on_the_recorded_hours(database: Database, tmp_path: Path, data_dir: Path) -> None:
    environment = {**os.environ, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(tmp_path)}

    def sep(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "sep_trader", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    for pair, file in PAIRS.items():
        sep("data", "import", str(data_dir / "lean-oanda" / "hour" / f"{file}.zip"), "-f", "lean")
        (found,) = json.loads(sep("train", pair, "-g", "H1", "--json"))["results"]
        said, evidence = claimed()[pair], found["evidence"]
        figures = {one["condition"]: one["figure"] for one in found["table"]}
        assert said["verdict"] == found["verdict"].replace("_", " ")
        assert float(said["account, of 280"]) == float(f"{found['e_value']:.3g}")
        trades, expectancy = re.findall(r"[-+]?[\d.]+", said["out-of-sample trades, expectancy"])
        assert (int(trades), expectancy) == (found["trades"], f"{found['expectancy_pips']:+.2f}")
        assert said["expectancy at 1.5 times the spread"].split()[0] == f"{evidence['stressed_expectancy']:+.2f}"
        against = float(said["bet against an edge of 0.05 R, of 20"].split(":")[0].replace(",", ""))
        assert against == float(figures["bet against 0.05 R"])
        t, sharpe, pbo = said["Student t, deflated Sharpe, PBO"].split(", ")
        assert (t, sharpe) == (f"{evidence['p_value']:.2f}", f"{evidence['deflated_sharpe']:.2f}")
        assert pbo == f"{evidence['pbo']:.0%}".replace("%", " %")
