"""How far processes of this machine have come, for the bars that a person sees: a small file each."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sep_trader.research.training import Progress

_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Watch:
    """Where a process tells how far it is; nowhere for one on another machine."""

    folder: str | None

    def tell(self, pair: str, done: int, total: int) -> None:
        """Note how far the walk of a pair is."""
        if self.folder is not None:
            path = Path(self.folder) / pair
            with suppress(OSError):  # A bar that stands still keeps nobody from training.
                path.with_suffix(".new").write_text(f"{done} {total}")
                path.with_suffix(".new").rename(path)


@contextmanager
def watching(progress: Progress, *, local: bool) -> Iterator[Watch]:
    """Hand a watch out, and pass on to `progress` what is told to it. local: whether the processes run here."""
    if not local:
        yield Watch(None)
        return
    with tempfile.TemporaryDirectory(prefix="sep-training-") as folder:
        over = threading.Event()
        looker = threading.Thread(target=_look, args=(Path(folder), progress, over), daemon=True)
        looker.start()
        try:
            yield Watch(folder)
        finally:
            over.set()
            looker.join()


def _look(folder: Path, progress: Progress, over: threading.Event) -> None:
    shown: dict[str, str] = {}
    while not over.wait(_LOOK_S):
        for path in folder.iterdir():
            if path.suffix:
                continue
            with suppress(OSError, ValueError):
                text = path.read_text()
                done, total = map(int, text.split())
                if shown.get(path.name) != text:
                    shown[path.name] = text
                    progress(path.name, done, total)
