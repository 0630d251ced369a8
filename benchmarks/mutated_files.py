"""Ten thousand candle files, each spoiled in a way of its own, read in one process: no traceback, and nothing stored
wrong without a word.

Run: python benchmarks/mutated_files.py [--json] [--files 10000] [--seed 1]

Each file is a week or four of EUR_USD in one of the formats; then bytes are flipped, columns swapped, lines cut or
repeated, the unit of times or prices changed, or the options are of another zone or length. tracebacks: readings that
ended with anything but candles or an InputError. silent: readings that gave candles which are not among the original
ones (another time by a zone, a unit or a length), without a contradiction, a refused row or a sentence. Values that a
flipped byte makes another sound price are what no reader can know; they are counted as `values`.
"""

import argparse
import collections
import json
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.property.test_imports import SUMMER, ZONES, series, written

from sep_trader.errors import InputError
from sep_trader.history.reading import judged_file
from sep_trader.history.source import ReadOptions, Source
from sep_trader.history.zones import parse_zone
from sep_trader.market.granularity import Granularity

NOW = 1_900_000_000
FORMATS = ("csv", "mt4", "mt5", "dukascopy", "histdata")
GRANULARITIES = (Granularity.M15, Granularity.H1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    figures = run(arguments.files, arguments.seed)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:12} {value}")
    sys.exit(1 if figures["tracebacks"] or figures["silent"] else 0)


def run(files: int, seed: int) -> dict[str, Any]:
    """Read so many spoiled files; the counts."""
    chance = random.Random(seed)
    begun = time.perf_counter()
    counts: collections.Counter[str] = collections.Counter()
    examples: list[str] = []
    originals = {length: series(SUMMER, length) for length in GRANULARITIES}
    with tempfile.TemporaryDirectory() as folder:
        clean: dict[tuple[str, str, int, Granularity], bytes] = {}
        for number in range(files):
            kind, zone, scale = chance.choice(FORMATS), chance.choice(ZONES), chance.choice((1, 1, 1, 100_000))
            length = chance.choice(GRANULARITIES)
            key = (kind, zone, scale, length)
            if key not in clean:
                clean[key] = written(Path(folder), originals[length], kind, zone, scale).read_bytes()
            how = chance.choice(CHANGES)
            path = Path(folder) / f"candles{number}.csv"
            data, options, read_as = how(clean[key], chance, zone, scale, length)
            path.write_bytes(data)
            outcome, text = judged(path, kind, options, read_as, originals[length])
            counts[outcome] += 1
            if outcome in ("tracebacks", "silent") and len(examples) < 10:
                examples.append(f"{how.__name__} {kind} {zone} x{scale} {length} as {read_as}: {text}")
            path.unlink()
    outcomes = ("tracebacks", "silent", "refused", "said", "values", "whole")
    figures = {name: counts[name] for name in outcomes}
    return {
        "files": files,
        "seed": seed,
        **figures,
        "seconds": round(time.perf_counter() - begun, 1),
        "examples": examples,
    }


def judged(path: Path, kind: str, options: ReadOptions, read_as: Granularity, original: Any) -> tuple[str, str]:
    """What became of one file."""
    try:
        found = judged_file(Source(path, "EUR_USD", read_as), kind, options, NOW)
    except InputError:
        return "refused", ""
    except Exception:
        return "tracebacks", traceback.format_exc(limit=-3)
    if found.contradictions:
        return "refused", ""  # as a whole: the import stores nothing
    got = found.candles
    place = np.searchsorted(original.time, got.time)
    known = (place < len(original)) & (original.time[np.minimum(place, len(original) - 1)] == got.time)
    if read_as is not original.granularity:
        return ("silent", "another length") if len(got) > 2 else ("said", "")
    matched = place[known]
    same = (got.close[known] == original.close[matched]) & (got.open[known] == original.open[matched])
    strange = int(np.count_nonzero(~known)) + int(np.count_nonzero(~same))
    if strange == 0:
        return ("whole" if len(got) == len(original) and not found.refused else "said"), ""
    if strange <= 8:  # single bytes: another minute, another price, both sound
        return "values", ""
    wrong = f"{int(np.count_nonzero(~known))} of {len(got)} times and {int(np.count_nonzero(~same))} prices are others"
    return ("said", "") if len(found.refused) > 0.2 * len(got) else ("silent", wrong)


def right(zone: str, scale: int) -> ReadOptions:
    """The options that fit."""
    return ReadOptions(timezone=parse_zone(zone), price_scale=float(scale))


def flip(data: bytes, chance: random.Random, zone: str, scale: int, length: Granularity) -> Any:
    """A few bytes are others."""
    spoiled = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
    return bytes(spoiled), right(zone, scale), length


def cut(data: bytes, chance: random.Random, zone: str, scale: int, length: Granularity) -> Any:
    """The file ends early."""
    return data[: chance.randrange(len(data))], right(zone, scale), length


def swap(data: bytes, chance: random.Random, zone: str, scale: int, length: Granularity) -> Any:
    """Two columns change places, header and all or the header's names stay."""
    text, encoding = _text(data)
    lines = text.splitlines()
    mark = next((m for m in ("\t", ";", ",") if m in lines[-1]), ",")
    width = len(lines[-1].split(mark))
    if width < 3:
        return data, right(zone, scale), length
    a, b = chance.sample(range(width), 2)
    keep_header = chance.random() < 0.5
    out = []
    for at, line in enumerate(lines):
        cells = line.split(mark)
        if len(cells) == width and not (at == 0 and keep_header):
            cells[a], cells[b] = cells[b], cells[a]
        out.append(mark.join(cells))
    return "\n".join(out).encode(encoding), right(zone, scale), length


def lines_again(data: bytes, chance: random.Random, zone: str, scale: int, length: Granularity) -> Any:
    """Lines come twice, or in another order."""
    text, encoding = _text(data)
    lines = text.splitlines()
    at = chance.randrange(1, len(lines))
    block = lines[at : at + chance.randint(1, 200)]
    to = chance.randrange(1, len(lines))
    lines[to:to] = block
    return "\n".join(lines).encode(encoding), right(zone, scale), length


def other_zone(data: bytes, chance: random.Random, zone: str, scale: int, length: Granularity) -> Any:
    """The options are of another zone."""
    return data, right(chance.choice(ZONES), scale), length


def other_length(data: bytes, chance: random.Random, zone: str, scale: int, length: Granularity) -> Any:
    """The options are of another length."""
    wrong = chance.choice(
        [g for g in (Granularity.M1, Granularity.M5, Granularity.M30, Granularity.H4) if g is not length]
    )
    return data, right(zone, scale), wrong


def other_scale(data: bytes, chance: random.Random, zone: str, scale: int, length: Granularity) -> Any:
    """The options are of another unit of prices."""
    return data, right(zone, chance.choice((1, 10, 100, 1_000, 100_000))), length


def nonsense(data: bytes, chance: random.Random, zone: str, scale: int, length: Granularity) -> Any:
    """Not a candle file at all, or its beginning only."""
    made = bytes(chance.randrange(256) for _ in range(chance.randint(0, 400)))
    return chance.choice((made, made + data, b"", b"\n\n", b"\xff\xfe", data[:40] + made)), right(zone, scale), length


def fields_replaced(data: bytes, chance: random.Random, zone: str, scale: int, length: Granularity) -> Any:
    """Single fields hold what people's programs write."""
    text, encoding = _text(data)
    lines = text.splitlines()
    mark = next((m for m in ("\t", ";", ",") if m in lines[-1]), ",")
    odd = (
        "",
        "NaN",
        "inf",
        "-1",
        "1e308",
        "#N/A",
        "1,5",
        '"',
        "0",
        "99999999999999999999",
        "\u0661",
        "1_0",
        "0x1",
        "true",
    )
    for _ in range(chance.randint(1, 30)):
        at = chance.randrange(1, len(lines))
        cells = lines[at].split(mark)
        cells[chance.randrange(len(cells))] = chance.choice(odd)
        lines[at] = mark.join(cells)
    return "\n".join(lines).encode(encoding), right(zone, scale), length


def _text(data: bytes) -> tuple[str, str]:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    return data.decode(encoding), encoding


CHANGES = (flip, cut, swap, lines_again, other_zone, other_length, other_scale, nonsense, fields_replaced)

if __name__ == "__main__":
    main()
