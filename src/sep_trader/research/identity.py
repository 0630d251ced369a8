"""Which code made a result: a hash of the program's own source files, the same wherever they are installed."""

import hashlib
from functools import cache
from pathlib import Path

from sep_trader.version import __version__

_KINDS = {".py", ".sql", ".toml"}


@cache
def code_identity() -> str:
    """`0.2.0+<sixteen hex digits>`: the version, and the SHA-256 of every source file with its place."""
    return f"{__version__}+{_hash_of(Path(__file__).parents[1])[:16]}"


def _hash_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(one for one in folder.rglob("*") if one.suffix in _KINDS and one.is_file()):
        name = file.relative_to(folder).as_posix()
        digest.update(f"{name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()
