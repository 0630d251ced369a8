"""Many runs of the campaign, several beside each other, each worker with a server of its own."""

import multiprocessing
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from sep_trader.simulation.campaign import Ran, run
from sep_trader.simulation.programs import Server
from sep_trader.simulation.server import at, create_database, new_home
from sep_trader.simulation.stack import prepare
from sep_trader.store.embedded import stop_embedded

_BESIDE = 2
"""Runs a core: most of a run is waiting."""
_TEMPLATE = "prepared"


@dataclass(slots=True)
class Campaign:
    """What became of the runs."""

    runs: list[Ran] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def violations(self) -> list[Ran]:
        """The runs in which something did not hold."""
        return [one for one in self.runs if one.violation is not None]

    @property
    def faults(self) -> Counter[str]:
        """How often each fault happened."""
        return Counter(kind for one in self.runs for _, kind in one.faults)


def campaign(
    runs: int, seed: int, *, workers: int | None = None, told: Callable[[Ran], None] = lambda ran: None
) -> Campaign:
    """So many runs, of the seeds from one on. told: called after each.

    Raises InputError without the `embedded` extra.
    """
    result, begun = Campaign(), time.monotonic()
    count = min(runs, workers or _BESIDE * (os.cpu_count() or 1))
    place = Path(tempfile.mkdtemp(prefix="sep-campaign-"))
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(count, mp_context=context, initializer=_begin) as pool:
            try:
                futures = [pool.submit(_one, one, place / str(one)) for one in range(seed, seed + runs)]
                for done in as_completed(futures):
                    result.runs.append(done.result())
                    told(done.result())
            finally:
                list(pool.map(_end, range(4 * count)))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    result.runs.sort(key=lambda one: one.seed)
    result.seconds = time.monotonic() - begun
    return result


# -- what runs in a worker

_SERVERS: list[tuple[Server, Path]] = []


def _begin() -> None:
    home = new_home()
    server = Server(home)
    create_database(server.url, _TEMPLATE)
    prepare(at(server.url, _TEMPLATE))
    _SERVERS[:] = [(server, home)]


def _one(seed: int, folder: Path) -> Ran:
    server, _ = _SERVERS[0]
    ran = run(server, _TEMPLATE, seed, folder)
    if ran.violation is None:
        shutil.rmtree(folder, ignore_errors=True)
    return ran


def _end(_: int) -> None:
    """Stop the worker's server; a worker may be asked more than once."""
    while _SERVERS:
        server, home = _SERVERS.pop()
        server.start()
        stop_embedded(home)
        shutil.rmtree(home, ignore_errors=True)
    time.sleep(0.2)
