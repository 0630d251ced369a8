"""What is kept of a simulated day: its faults as they strike, everything that happened as one hash, and the result."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sep_trader.simulation.cells import Cell
from sep_trader.simulation.schedule import Planned


@dataclass(slots=True)
class Armed:
    """A fault that waits for its step, and how long it has struck."""

    planned: Planned
    from_statement: int
    struck_at: float | None = None
    over: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """What became of a day. violation: invariant, step and words; None for none."""

    seed: int
    steps: int
    passes: int
    met: Counter[Cell]
    trace: str
    trades: int
    violation: tuple[str, int, str] | None = None


@dataclass(slots=True)
class Trace:
    """Everything that happened, as one hash."""

    digest: Any = field(default_factory=hashlib.sha256)
    steps: int = 0
    lines: list[str] | None = None

    def add(self, line: str) -> None:
        """Take up a step."""
        self.steps += 1
        self.digest.update(line.encode())
        self.digest.update(b"\n")
        if self.lines is not None:
            self.lines.append(line)


class Striking(Protocol):
    """Says what goes wrong."""

    met: Counter[Cell]

    def strike(self, step: str, now: float, fits: Callable[[Armed], bool]) -> Armed | None:
        """The fault that strikes at a step now; None for none."""
        ...

    def happened(self, cell: Cell) -> None:
        """A fault has struck, or an act was done."""
        ...

    def end(self) -> None:
        """No fault strikes any more."""
        ...

    @property
    def waiting(self) -> list[float]:
        """When faults begin that have not struck yet."""
        ...


@dataclass(slots=True)
class Faults:
    """The faults of a day. Each strikes once, or as long as it lasts."""

    armed: list[Armed]
    trace: Trace
    met: Counter[Cell] = field(default_factory=Counter)

    def strike(self, step: str, now: float, fits: Callable[[Armed], bool]) -> Armed | None:
        """The fault that strikes at a step now; None for none."""
        for armed in self.armed:
            planned = armed.planned
            if armed.over or planned.cell.step != step or planned.at > now or not fits(armed):
                continue
            lasting = planned.seconds > 0 and planned.cell.fault != "late"
            if armed.struck_at is None:
                armed.struck_at = now
                self.happened(planned.cell)
            if not lasting or now - armed.struck_at >= planned.seconds:
                armed.over = True
                if lasting and now > armed.struck_at + planned.seconds:
                    continue
            return armed
        return None

    def happened(self, cell: Cell) -> None:
        """A fault has struck, or an act was done."""
        self.met[cell] += 1
        self.trace.add(f"fault {cell.step} {cell.fault}")

    def end(self) -> None:
        """No fault strikes any more."""
        for armed in self.armed:
            armed.over = True

    @property
    def waiting(self) -> list[float]:
        """When faults begin that have not struck yet."""
        return [one.planned.at for one in self.armed if not one.over and one.struck_at is None]
