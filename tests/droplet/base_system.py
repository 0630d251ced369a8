"""The empty system that a rehearsal or `make fresh` starts from, cached as a tarball outside the repository.

Debian of this machine's own mirror; with SEP_REHEARSAL_SUITE another one, with SEP_REHEARSAL_MIRROR an Ubuntu of that
mirror.
"""

import os
import shutil
import subprocess
from pathlib import Path

CACHE = Path(os.environ.get("SEP_REHEARSAL_CACHE", "/var/cache/sep-rehearsal"))
SUITE = os.environ.get("SEP_REHEARSAL_SUITE", "bookworm")
MIRROR = os.environ.get("SEP_REHEARSAL_MIRROR", "")
POSTGRES, TIMESCALEDB = {"bookworm": (15, True), "trixie": (17, True), "noble": (16, False)}[SUITE]
"""The distribution's own server, and whether the extension can be had there without the vendor's repository."""
PACKAGES = "systemd,systemd-sysv,dbus,openssh-server,python3,sudo,iproute2,ca-certificates,udev"
TOOLS = {"systemd-nspawn": "systemd-container", "debootstrap": "debootstrap", "nft": "nftables", "ip": "iproute2",
         "ssh": "openssh-client", "rsync": "rsync", "mkfs.ext4": "e2fsprogs", "losetup": "mount"}  # fmt: skip


OLDER = {"trixie": ("bookworm", 15), "noble": ("jammy", 14)}.get(SUITE)
"""The suite before, whose server can be installed beside this one's, for the way from one major version to the next."""


def missing_tools() -> list[str]:
    """Debian packages that this machine lacks for a rehearsal; empty when it can be run."""
    return sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})


def unpack(root: Path, packages: str = PACKAGES, name: str = "base") -> None:
    """Put a fresh base system at `root`; debootstrap makes the tarball first where there is none of this name yet."""
    tarball = CACHE / f"{name}-{SUITE}.tar"
    if not tarball.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = CACHE / f"{name}-{SUITE}-{os.getpid()}"
        try:
            more = ["--components=main,universe"] if MIRROR else []
            known = Path("/usr/share/debootstrap/scripts") / SUITE
            # Ubuntus are made in one way; a debootstrap that is older than one does not know its name.
            script = [] if known.exists() else [str(known.with_name("gutsy"))]
            where = [SUITE, str(fresh), MIRROR or _mirror(), *script]
            run("debootstrap", "--variant=minbase", f"--include={packages}", *more, *where)
            (fresh / "etc/resolv.conf").unlink(missing_ok=True)
            partial = tarball.with_suffix(f".{os.getpid()}")
            run("tar", "--numeric-owner", "--xattrs", "-C", str(fresh), "-cf", str(partial), ".")
            partial.rename(tarball)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    root.mkdir(parents=True)
    run("tar", "--numeric-owner", "--xattrs", "-C", str(root), "-xpf", str(tarball))


def hand_in_this_machines_mirrors(root: Path) -> None:
    """Let the new system reach the package mirrors in the way this machine does (sources, certificates, pip).

    The product's playbook knows nothing of it: a real droplet comes with working sources.
    """
    folder = root / "etc/apt/sources.list.d"
    if MIRROR:
        suites = " ".join([SUITE, f"{SUITE}-updates", f"{SUITE}-security"])
        (folder / "ubuntu.sources").write_text(
            f"Types: deb\nURIs: {MIRROR}\nSuites: {suites}\nComponents: main universe\n"
            "Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n"
        )
    for sources in [] if MIRROR else _debian_sources():
        (folder / sources.name).write_text(sources.read_text().replace("bookworm", SUITE))
    if list(folder.glob("*.sources")):
        (root / "etc/apt/sources.list").unlink(missing_ok=True)
    dump = run("apt-config", "dump")
    acquire = [line for line in dump.splitlines() if line.startswith("Acquire::Check")]
    (root / "etc/apt/apt.conf.d/99mirror").write_text("\n".join([*acquire, 'Acquire::Languages "none";', ""]))
    for certificate in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(certificate, root / "usr/local/share/ca-certificates")
    run("chroot", str(root), "update-ca-certificates")
    pip = ["[global]", "cert = /etc/ssl/certs/ca-certificates.crt"]
    for option in ("index-url",):
        found = subprocess.run(
            ["pip", "config", "get", f"global.{option}"], capture_output=True, text=True, check=False
        )
        if found.returncode == 0:
            pip.append(f"{option} = {found.stdout.strip()}")
    (root / "etc/pip.conf").write_text("\n".join([*pip, ""]))


def add_older_suite(root: Path) -> None:
    """Let the new system find the server of the suite before, and nothing else of it that it has itself."""
    assert OLDER is not None
    folder = root / "etc/apt/sources.list.d"
    for sources in folder.glob("*.sources"):
        text = sources.read_text().replace(SUITE, OLDER[0])
        (folder / f"older-{sources.name}").write_text(text)
    preferences = f"Package: *\nPin: release n={OLDER[0]}*\nPin-Priority: 100\n"
    (root / "etc/apt/preferences.d/older").write_text(preferences)


def _debian_sources() -> list[Path]:
    folder = Path("/etc/apt/sources.list.d")
    return [path for path in folder.glob("*.sources") if "debian-archive-keyring" in path.read_text()]


def _mirror() -> str:
    """The address of the Debian mirror that this machine itself uses."""
    for path in [*_debian_sources(), Path("/etc/apt/sources.list")]:
        for line in path.read_text().splitlines() if path.exists() else []:
            words = line.split()
            if words[:1] in (["URIs:"], ["deb"]):
                return words[1]
    raise AssertionError("no Debian mirror in this machine's apt sources")


def run(*command: str) -> str:
    """Run a command here and return what it printed; raises with the end of its output when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout
