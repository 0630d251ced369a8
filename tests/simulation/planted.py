"""Plant each bug of `planted.toml` in a copy of the program, and see that the simulation finds it.

    python -m tests.simulation.planted [--only WORDS] [--days 200] [--each]

Prints JSON with `bugs`, `found` and `clean`, and what found each on stderr; exits 1 unless every bug is found by an
invariant that it names, and the program without them shows none in as many days. `make planted` runs it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_SOURCE = _HERE.parents[1] / "src"
DAYS = 200


@dataclass(frozen=True)
class Edit:
    """Text of a file of the package, and what takes its place."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Bug:
    """A guard taken away, the invariants that must notice, and the fault that brings it to light."""

    name: str
    invariants: tuple[str, ...]
    exposed_by: str
    edits: tuple[Edit, ...]


def bugs() -> list[Bug]:
    """All of them."""
    read = tomllib.loads((_HERE / "planted.toml").read_text("utf-8"))
    return [
        Bug(one["name"], tuple(one["invariants"]), one["exposed_by"], tuple(Edit(**edit) for edit in one["edits"]))
        for one in read["bug"]
    ]


def plant(bug: Bug, source: Path) -> None:
    """Plant a bug in a copy of the source. Raises ValueError where it does not fit any more."""
    for edit in bug.edits:
        path = source / "sep_trader" / edit.file
        text = path.read_text("utf-8")
        if text.count(edit.old) != 1:
            raise ValueError(
                f"'{bug.name}' does not fit {edit.file} any more: its text is there {text.count(edit.old)} times"
            )
        path.write_text(text.replace(edit.old, edit.new), "utf-8")


def simulated(source: Path, days: int) -> dict[str, Any]:
    """What the simulation says of a source: its report, up to the first day that fails."""
    command = [sys.executable, "-m", "sep_trader", "trade", "simulate", "--seeds", f"1-{days}", "--first", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(command, env=environment, cwd=source, capture_output=True, text=True, check=False)
    if not done.stdout:
        return {"violations": [], "ok": False, "error": done.stderr.strip()[-300:]}
    return dict(json.loads(done.stdout))


def _found(bug: Bug, days: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(_SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
        try:
            plant(bug, source)
        except ValueError as error:
            return {"name": bug.name, "found": False, "by": str(error)}
        report = simulated(source, days)
    by = [one["invariant"] for one in report["violations"]]
    words = f"{by[0]} on day {report['violations'][0]['seed']}: {report['violations'][0]['text']}" if by else "nothing"
    return {"name": bug.name, "found": bool(by) and by[0] in bug.invariants, "by": report.get("error") or words}


def main() -> int:
    """Plant, look, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="bugs whose name holds these words")
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--each", action="store_true", help="what found each, in the JSON, too")
    given = parser.parse_args()
    results = []
    for bug in (one for one in bugs() if given.only in one.name):
        result = _found(bug, given.days)
        results.append(result)
        told = f"{'found ' if result['found'] else 'MISSED'}  {bug.name}\n        {result['by']}"
        print(told, file=sys.stderr, flush=True)
    found = sum(one["found"] for one in results)
    clean = bool(simulated(_SOURCE, given.days)["ok"])
    print(f"{'clean ' if clean else 'FAULTY'}  the program without them", file=sys.stderr, flush=True)
    print(
        json.dumps({"bugs": len(results), "found": found, "clean": clean, **({"each": results} if given.each else {})})
    )
    return 0 if clean and found == len(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
