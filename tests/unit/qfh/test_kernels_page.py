"""Every number of docs/kernels.md, against the definitions and against the kernels' own buffers."""

import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sep_trader.qfh.kernels.layout import CONTEXT, CORRECTIONS_AT, FLIPS_AT, Block, Buffers, Series, kernel
from sep_trader.qfh.kernels.series import make_buffers, take_block
from sep_trader.qfh.kernels.sums import count_line, mismatch_line

PAGE = (Path(__file__).parents[3] / "docs" / "kernels.md").read_text()
BITS = (1, 1, 1, 0, 1, 1, 0, 0)
WINDOW, HALF = 8, 4


def table(first_cell: str) -> list[list[str]]:
    """The rows of the table whose header begins with a cell, the header included."""
    lines = PAGE.splitlines()
    begin = next(at for at, line in enumerate(lines) if line.startswith(f"| {first_cell} |"))
    end = next(at for at in range(begin, len(lines)) if not lines[at].startswith("|"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[begin:end]]
    return [row for row in rows if set(row) != {"---"}]


def stated(pattern: str) -> list[str]:
    """What the groups of the one place that matches hold."""
    found = re.findall(pattern, PAGE)
    assert len(found) == 1, pattern
    return [found[0]] if isinstance(found[0], str) else list(found[0])


def sum_up(series: Series, buffers: Buffers) -> None:
    """Take the bits of the example and continue both sums over one line, as the drivers do."""
    take_block(series, Block(0, WINDOW, CONTEXT), 0, WINDOW, True, buffers)
    count_line(buffers, CONTEXT, np.int32(0))
    mismatch_line(buffers, buffers.mismatches[0], CONTEXT, HALF, np.int32(0))


@pytest.fixture(scope="module")
def buffers() -> Buffers:
    """The kernels' buffers after the example."""
    made: Buffers = make_buffers(1)
    starts = np.zeros(WINDOW, np.bool_)
    starts[0] = True
    kernel(sum_up)(Series(np.array(BITS, np.int8), starts), made)
    return made


def test_the_bits_are_those_of_the_analysis_page() -> None:
    text = " ".join(str(bit) for bit in BITS)
    assert f"`{text}`" in PAGE
    assert f"`{text}`" in (Path(__file__).parents[3] / "docs" / "qfh.md").read_text()


def test_the_running_sums_are_those_in_the_buffers(buffers: Buffers) -> None:
    header, *rows = table("position")
    columns = {name: [int(row[at]) for row in rows] for at, name in enumerate(header)}
    here = slice(CONTEXT, CONTEXT + WINDOW)
    assert columns["position"] == list(range(1, WINDOW + 1))
    assert columns["bit"] == buffers.bits[here].tolist() == list(BITS)
    assert columns["packed"] == buffers.counts[here].tolist()
    assert columns["mismatches"] == buffers.mismatches[0, here].tolist()
    for one, many in (("one", "ones"), ("flip", "flips"), ("correction", "corrections"), ("mismatch", "mismatches")):
        assert columns[many] == np.cumsum(columns[one]).tolist()
    fields = zip(columns["ones"], columns["flips"], columns["corrections"], strict=True)
    assert columns["packed"] == [a + (b << FLIPS_AT) + (c << CORRECTIONS_AT) for a, b, c in fields]


def test_the_additions_are_those_of_the_definitions() -> None:
    header, *rows = table("position")
    held = (0, 0, 0, 0, *BITS)
    for at, row in enumerate(rows, start=4):
        cells = dict(zip(header, row, strict=True))
        assert int(cells["flip"]) == (held[at] != held[at - 1])
        assert int(cells["correction"]) == (held[at] != (sum(held[at - 3 : at]) >= 2))
        assert int(cells["mismatch"]) == (held[at] != held[at - HALF])


def test_the_counts_are_the_differences_of_the_sums() -> None:
    header, *rows = table("position")
    sums = {name: [0, *(int(row[at]) for row in rows)] for at, name in enumerate(header)}
    counts = {row[0]: row for row in table("count")[1:]}
    for name, skipped in (("ones", 0), ("flips", 1), ("corrections", 3), ("mismatches", HALF)):
        late, early = sums[name][WINDOW], sums[name][skipped]
        assert counts[name][1:3] == [f"{late} - {early}", str(late - early)]
        drawn = stated(rf"(?m)^    {name} +(\d+) <-+ (\d+) ")
        assert drawn == [str(early), str(late)]
    pairs = list(pairwise(BITS))
    assert counts["ruptures"][2] == str(pairs.count((1, 1)))
    assert counts["nulls"][2] == str(pairs.count((0, 0)))
    assert eval(stated(r"flips\) / 2 = (\(.*\) / 2)")[0]) == 3
    assert eval(stated(r"W - 1 - flips - ruptures = ([\d -]+)")[0]) == 1


def test_entropy_damping_and_trend_are_those_of_the_definitions(buffers: Buffers) -> None:
    assert stated(r"nulls \* W \+ flips = (\d+)") == [str(1 * WINDOW + 3)]
    entropy = -(1 / 7 * math.log(1 / 7) + 2 * (3 / 7) * math.log(3 / 7)) / math.log(3)
    damping = 0.3 * entropy + 0.2 * (1 - ((HALF - 2 * 1) / HALF) ** 2)
    x = math.exp(-damping)
    assert stated(r"coherence: (0\.\d{4})\.") == [f"{damping:.4f}"]
    assert stated(r"exp\(-damping\) = (0\.\d{4})") == [f"{x:.4f}"]
    signs, sums = table("sign")
    assert [int(cell) for cell in signs[1:]] == buffers.signs[CONTEXT : CONTEXT + WINDOW].tolist()
    total = 0.0
    for sign, cell in zip(signs[1:], sums[1:], strict=True):
        total = total * x + int(sign)
        assert cell == f"{total:.3f}"
    weights = (1 - x**WINDOW) / (1 - x)
    assert stated(r"\(1 - x\) = (\d\.\d+)") == [f"{weights:.3f}"]
    assert stated(r"trend is (-[\d.]+) / ([\d.]+) = (-[\d.]+)\. ") == [
        f"{total:.3f}", f"{weights:.3f}", f"{total / weights:.3f}",
    ]  # fmt: skip
