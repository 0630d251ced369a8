"""A Debian machine booted by systemd-nspawn on a network of its own: what the rehearsal deploys to.

The root file system can be thrown away and the volume kept, as when a droplet is rebuilt. Everything that was
started (process, loop device, bridge, packet filter table) is removed by `close`.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from . import base_system

BIN = Path(sys.executable).parent
VOLUME_NAME = "sep-data"
ELSEWHERE = "/mnt/elsewhere"
DEVICE = f"/dev/disk/by-id/scsi-0DO_Volume_{VOLUME_NAME}"


def run(*command: str | Path, check: bool = True, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """Run a command on this machine and return what it printed; raises with its output when it fails."""
    parts = [str(part) for part in command]
    # An ssh that ends badly leaves what it shared with us in another mode, which Ansible refuses.
    if "input" not in kwargs or kwargs["input"] is None:
        kwargs = {k: v for k, v in kwargs.items() if k != "input"} | {"stdin": subprocess.DEVNULL}
    done: subprocess.CompletedProcess[str] = subprocess.run(
        parts, capture_output=True, text=True, check=False, **kwargs
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


class Machine:
    """One booted system. `address` is reachable from here, `gateway` is this machine as it sees it."""

    def __init__(self, folder: Path, *, volume_mib: int = 4096) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.image = folder / "volume.img"
        self.elsewhere = folder / "elsewhere"
        """A place that is lost neither with the machine nor with the volume; mounted as ELSEWHERE."""
        self.key = folder / "id_ed25519"
        self.known_hosts = folder / "known_hosts"
        self._slot = _Slot()
        self.name = f"sepd{self._slot.number}"
        self.address = f"10.77.{self._slot.number}.2"
        self.gateway = f"10.77.{self._slot.number}.1"
        self._process: subprocess.Popen[bytes] | None = None
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rehearsal", "-f", self.key)
        for place in (self.elsewhere, self.elsewhere / "dumps"):
            place.mkdir()
            place.chmod(0o777)
        self._volume_mib = volume_mib
        self.loop = self._attach_volume()
        try:
            self._make_network()
        except BaseException:
            self.close()
            raise

    def build_root(self) -> None:
        """Make a fresh root file system, as a provider's image would be: an ssh key for root and nothing else."""
        self.destroy_root()
        base_system.unpack(self.root)
        base_system.hand_in_this_machines_mirrors(self.root)
        ssh = self.root / "root/.ssh"
        ssh.mkdir(mode=0o700, exist_ok=True)
        (ssh / "authorized_keys").write_text(self.key.with_suffix(".pub").read_text())
        (self.root / "etc/hostname").write_text(f"{self.name}\n")
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        network = self.root / "etc/systemd/network/10-host0.network"
        network.write_text(f"[Match]\nName=host0\n[Network]\nAddress={self.address}/24\nGateway={self.gateway}\n")
        wants = self.root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "systemd-networkd.service").symlink_to("/lib/systemd/system/systemd-networkd.service")
        # A new machine has new host keys, as a rebuilt droplet does.
        for old in (self.root / "etc/ssh").glob("ssh_host_*"):
            old.unlink()
        run("ssh-keygen", "-A", "-f", self.root)
        public = (self.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
        self.known_hosts.write_text(f"{self.address} {public[0]} {public[1]}\n")

    def boot(self, timeout_s: float = 60) -> None:
        """Start the machine and wait until it answers by ssh."""
        # apt locks its folder: rehearsals side by side have one each.
        archives = base_system.CACHE / f"apt-archives-{self._slot.number}"
        home_cache = base_system.CACHE / "home-cache"
        for folder in (archives / "partial", home_cache):
            folder.mkdir(parents=True, exist_ok=True)
        self._unplug()
        with (self.folder / "console.log").open("ab") as console:
            self._process = self._nspawn(archives, home_cache, console)
        self.wait_for_ssh(timeout_s)

    def _nspawn(self, archives: Path, home_cache: Path, console: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["systemd-nspawn", "--quiet", "-D", str(self.root), "--boot", f"--machine={self.name}", "--console=pipe",
             f"--network-bridge={self.name}", "--register=no", "--keep-unit", f"--bind={self.loop}:{DEVICE}",
             f"--bind={self.elsewhere}:{ELSEWHERE}", f"--bind={home_cache}:/root/.cache",
             f"--bind={archives}:/var/cache/apt/archives", "--resolv-conf=copy-host", "--timezone=off",
             "--link-journal=no", "--kill-signal=SIGRTMIN+3"],
            stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
        )  # fmt: skip

    def wait_for_ssh(self, timeout_s: float = 60) -> None:
        """Wait until a command runs over ssh and the system has finished booting."""
        deadline = time.monotonic() + timeout_s
        while True:
            assert self._process is not None and self._process.poll() is None, self.console()
            if self.ssh("true", check=False).returncode == 0:
                return
            assert time.monotonic() < deadline, f"no ssh after {timeout_s} s\n{self.console()}"
            time.sleep(0.3)

    def console(self) -> str:
        """The end of what the machine wrote to its console."""
        return (self.folder / "console.log").read_text(errors="replace")[-3000:]

    def ssh_options(self) -> list[str]:
        """Options for ssh and rsync: our key only, the known host key only, no questions."""
        return ["-i", str(self.key), "-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={self.known_hosts}",
                "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR"]  # fmt: skip

    def ssh(self, command: str, *, check: bool = True, user: str = "root", stdin: str | None = None,
            options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a shell command on the machine."""
        return run(*self.ssh_command(command, user, options), check=check, input=stdin)

    def ssh_command(self, command: str, user: str = "root", options: Sequence[str] = ()) -> list[str]:
        """What to start on this side to run a shell command on the machine."""
        return ["ssh", *options, *self.ssh_options(), f"{user}@{self.address}", command]

    @contextlib.contextmanager
    def another_address(self) -> Iterator[str]:
        """A second address on this side, for what would shut the first one out."""
        address = f"10.77.{self._slot.number}.3"
        run("ip", "addr", "add", f"{address}/24", "dev", self.name)
        try:
            yield address
        finally:
            run("ip", "addr", "del", f"{address}/24", "dev", self.name)

    def reboot(self) -> None:
        """Reboot from the inside: everything is stopped in order, then the machine boots again."""
        assert self._process is not None
        self.ssh("systemctl reboot", check=False)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the machine did not go down\n{self.console()}") from None
        self._process = None
        self.boot()

    def cut_power(self) -> None:
        """Kill every process of the machine at once, as a power cut does. What was not synced by then is not lost
        (the host's page cache survives): what this tests is processes without a chance to say goodbye."""
        if self._process is None:
            return
        leader = self._leader()
        if leader is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)
        self._process = None

    def shut_down(self) -> None:
        """Power off in an orderly way."""
        if self._process is None:
            return
        self.ssh("systemctl poweroff", check=False)
        try:
            self._process.wait(40)
            self._process = None
        except subprocess.TimeoutExpired:
            self.cut_power()

    def destroy_root(self) -> None:
        """Throw the root file system away; the volume stays."""
        assert self._process is None
        if self.root.exists():
            shutil.rmtree(self.root)

    def renumber_owners(self) -> None:
        """Give the files on the volume to a number that nobody has, as users of a rebuilt machine may have others."""
        assert self._process is None
        with tempfile.TemporaryDirectory(dir=self.folder) as mounted:
            run("mount", self.loop, mounted)
            try:
                run("chown", "-R", "4242:4242", f"{mounted}/postgresql", f"{mounted}/backups")
            finally:
                run("umount", mounted)

    def lose_volume(self) -> None:
        """A blank volume in place of the one there was."""
        assert self._process is None
        run("losetup", "-d", self.loop)
        self.image.unlink()
        self.loop = self._attach_volume()

    def _attach_volume(self) -> str:
        run("truncate", "-s", f"{self._volume_mib}M", self.image)
        return run("losetup", "-f", "--show", self.image).stdout.strip()

    def close(self) -> None:
        """Stop the machine and remove everything that was made for it."""
        self.cut_power()
        run("losetup", "-d", self.loop, check=False)
        run("nft", "delete", "table", "ip", self.name, check=False)
        self._unplug()
        run("ip", "link", "del", self.name, check=False)
        if self.root.exists():
            shutil.rmtree(self.root, ignore_errors=True)
        self.image.unlink(missing_ok=True)
        self._slot.close()

    def _unplug(self) -> None:
        """Take a dead machine's end of the network away: the kernel does when it comes round to it, a boot needs the
        name at once."""
        run("ip", "link", "del", f"vb-{self.name}", check=False)

    def _leader(self) -> int | None:
        """The machine's process 1, as numbered here: the child of the nspawn process."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        found = children.read_text().split() if children.exists() else []
        return int(found[0]) if found else None

    def _make_network(self) -> None:
        run("ip", "link", "add", self.name, "type", "bridge")
        run("ip", "addr", "add", f"{self.gateway}/24", "dev", self.name)
        run("ip", "link", "set", self.name, "up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        # No outgoing interface is named: whatever leaves the bridge is masqueraded.
        rules = f"""table ip {self.name} {{
  chain post {{
    type nat hook postrouting priority 100
    ip saddr {self.gateway}/24 oifname != "{self.name}" masquerade
  }}
}}
"""
        run("nft", "-f", "-", input=rules)


class _Slot:
    """A number that no other rehearsal on this machine has, held by a lock for as long as we live.

    A rehearsal that was killed leaves its bridge and its packet filter table behind: they are removed when nothing
    is plugged in. A bridge in use (by a rehearsal whose temporary folder is another one) keeps its number.
    """

    def __init__(self) -> None:
        locks = Path(tempfile.gettempdir()) / "sep-rehearsal-slots"
        locks.mkdir(exist_ok=True)
        for number in range(1, 200):
            self._file = (locks / str(number)).open("w")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                continue
            if self._is_free(f"sepd{number}"):
                self.number = number
                return
            self._file.close()
        raise AssertionError("200 rehearsals at once?")

    @staticmethod
    def _is_free(bridge: str) -> bool:
        """Nobody uses this name; what a killed rehearsal left of it is gone after the call."""
        ports = Path(f"/sys/class/net/{bridge}/brif")
        if ports.is_dir() and any(ports.iterdir()):
            return False
        run("ip", "link", "del", bridge, check=False)
        run("nft", "delete", "table", "ip", bridge, check=False)
        return True

    def close(self) -> None:
        self._file.close()
