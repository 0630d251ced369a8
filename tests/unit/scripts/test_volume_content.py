"""deploy/roles/volume/files/volume-content on files in place of devices: what holds anything is not blank."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "deploy/roles/volume/files/volume-content"
MIB = 2**20


def content(device: Path) -> str:
    done = subprocess.run([PROGRAM, device], capture_output=True, text=True, check=True,
                          env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})  # fmt: skip
    return done.stdout.strip()


def sparse(path: Path, mebibytes: int) -> Path:
    with path.open("wb") as file:
        file.truncate(mebibytes * MIB)
    return path


def ext4(path: Path, *options: str) -> None:
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-F", *options, path], check=True)


def zero(path: Path, first: int, count: int) -> None:
    with path.open("r+b") as file:
        file.seek(first)
        file.write(bytes(count))


def put(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_a_blank_one_and_our_own(tmp_path: Path) -> None:
    device = sparse(tmp_path / "a", 300)
    assert content(device) == "blank"
    ext4(device)
    assert content(device) == "ours ext4"


@pytest.mark.parametrize(("options", "size"), [((), 300), (("-b", "1024"), 64), (("-b", "2048"), 200)])
def test_a_file_system_whose_beginning_was_lost(tmp_path: Path, options: tuple[str, ...], size: int) -> None:
    device = sparse(tmp_path / "a", size)
    ext4(device, *options)
    zero(device, 0, 4 * MIB if options else 16 * MIB)
    assert content(device).startswith("remains a spare superblock of ext4")


@pytest.mark.parametrize("at", [0, 5_000, 17 * MIB, 150 * MIB + 3, 300 * MIB - 1])
def test_one_byte_anywhere(tmp_path: Path, at: int) -> None:
    device = sparse(tmp_path / "a", 300)
    put(device, at, b"x")
    assert content(device).startswith("remains data")


@pytest.mark.parametrize(
    "make",
    [
        lambda path: put(path, 0, b"LUKS\xba\xbe\0\1"),
        lambda path: subprocess.run(["/usr/sbin/mkswap", "-q", path], check=True),
        lambda path: put(path, 446, b"\x80\0\2\0\x83\0\1\0\1\0\0\0\0\1\0\0" + bytes(48) + b"\x55\xaa"),
    ],
    ids=["LUKS", "swap", "partitions"],
)
def test_what_belongs_to_others(tmp_path: Path, make: Callable[[Path], object]) -> None:
    device = sparse(tmp_path / "a", 64)
    make(device)
    assert content(device).startswith("foreign")
