"""A droplet and what stands around it: the training machine's database and key, and the simulated exchange."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psycopg

from sep_trader.store.embedded import start_embedded, stop_embedded

from . import base_system
from .machine import BIN, ELSEWHERE, Machine, run

REPOSITORY = Path(__file__).parents[2]
SEP = BIN / "sep"
ACCOUNT, TOKEN = "101-001-0000001-001", "rehearsal-token"
PASSPHRASE = "rehearsal-passphrase"
SECRET = "rehearsal-webhook"
"""In the address of who is told; like a token, it is nobody else's."""
OFFSITE = {"type": "posix", "path": ELSEWHERE, "cipher-type": "aes-256-cbc", "cipher-pass": PASSPHRASE}
# The distribution's own PostgreSQL, and a share of the host's memory.
OPTIONS = ["-e", f"postgres_major={base_system.POSTGRES}", "-e", "postgres_source=distro", "-e", "memory_gb=2",
           "-e", f"timescaledb={str(base_system.TIMESCALEDB).lower()}",
           "-e", json.dumps({"offsite_repository": OFFSITE, "backup_copy_to": f"{ELSEWHERE}/dumps/",
                             "ops_settings": {"SEP_BACKUP_BUDGET_GB": 6}})]  # fmt: skip
DOMAIN = "droplet.example"
FIGURES: dict[str, str] = {}
"""What was measured, printed at the end of the run."""


class Site:
    """Everything that a rehearsal needs; `close` removes all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machine = Machine(folder)
        self.tree = folder / "tree"
        self._copy_tree()
        self.home = folder / "home"
        self.key = folder / "bundle_key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)
        self.authority = folder / "authority.pem"
        # All that is done here comes from one address, and much of it by ssh.
        owner = [self.machine.gateway]
        recipient = json.dumps({"backup_age_recipient": " ".join(_public(self.key)), "owner_addresses": owner})
        self.always = [*OPTIONS, "-e", recipient]
        self.options = [*self.always, "-e", f"domain={DOMAIN}"]
        """What every deployment is told."""
        self._exchange: subprocess.Popen[str] | None = None
        self.exchange_url = ""
        self.told: list[str] = []
        """Titles of the messages that reached the owner."""
        self.pings = 0
        """How often the dead-man's switch was told that the machine lives."""
        self._owner = self._listen()

    def start(self) -> None:
        """Boot an empty machine, start the exchange, and fill the training machine's database."""
        self.machine.build_root()
        self._certify()
        self.machine.boot()
        self.start_exchange()
        self.train()

    def deploy(self, *options: str, check: bool = True) -> str:
        """Run the deployment as a person would, and return what it printed."""
        script = self.tree / "scripts/deploy_to_droplet.sh"
        done = run(
            script, f"root@{self.machine.address}", *self.options, *options, check=False, env=self._environment()
        )
        (self.folder / "deploy.log").write_text(done.stdout + done.stderr)
        assert done.returncode == 0 or not check, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def roll_back(self) -> str:
        """To the release before, as a person would."""
        script = self.tree / "scripts/deploy_to_droplet.sh"
        key = {"SSH_OPTIONS": " ".join(self.machine.ssh_options())}
        return run(script, f"root@{self.machine.address}", "--rollback", env=self._environment() | key).stdout

    def sync(self, *options: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Hand over what is new."""
        return run(*self.sync_command(), *options, check=check, env=self._environment() | environment)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hand over what is new as it appears, for as long as the block runs."""
        environment = self._environment() | {"SEP_SYNC_EVERY": "1"}
        with (self.folder / "watch.log").open("w") as log:
            watch = subprocess.Popen([*self.sync_command(), "--watch"], env=environment, stdout=log, stderr=log,
                                     start_new_session=True)  # fmt: skip
            try:
                yield
            finally:
                os.killpg(watch.pid, signal.SIGTERM)
                watch.wait(10)

    def sync_command(self) -> list[str]:
        """How a person hands over."""
        return [str(self.tree / "scripts/sync_to_droplet.sh"), self.machine.address]

    def add_candles(self, count: int) -> None:
        """Candles on the training machine that do not compress well."""
        with psycopg.connect(self.database) as connection:
            connection.execute(
                "INSERT INTO instruments (name, pip_location, display_precision) VALUES ('EUR_USD', -4, 5)"
                " ON CONFLICT DO NOTHING"
            )
            connection.execute(
                "INSERT INTO market_candles SELECT date_trunc('minute', now()) - n * interval '1 minute', c, c, c, c,"
                " 0.0001, 7, id, 5 FROM instruments,"
                " (SELECT n, 1.1 + random() / 1000 AS c FROM generate_series(1, %s) n) AS candle",
                [count],
            )

    def add_signal(self, side: int) -> uuid.UUID:
        """A new signal on the training machine, valid for an hour."""
        with psycopg.connect(self.database) as connection:
            now = datetime.now(UTC)
            row = connection.execute(
                "INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics,"
                " stop_distance, horizon, expires_at) VALUES (gen_random_uuid(), 'EUR_USD', 'model', 'M1', %s, %s, 0.6,"
                " '{}', 0.01, '1 day', %s) RETURNING id",
                [now, side, now + timedelta(hours=1)],
            ).fetchone()
            assert row is not None
            return uuid.UUID(str(row[0]))

    def sql(self, statement: str, database: str = "sep_trading") -> str:
        """Run a statement on the droplet with psql, as the superuser."""
        command = f"runuser -u postgres -- psql -XAtqd {database} -v ON_ERROR_STOP=1 -f -"
        return self.machine.ssh(command, stdin=statement).stdout.strip()

    def get(self, path: str, scheme: str = "http") -> Any:
        """Read the API from outside, as a person does with curl: with the token that the deployment left."""
        token = (self.folder / "config/sep-trader/tokens" / self.machine.address).read_text().strip()
        address = f"{scheme}://{self.machine.address}{path}"
        return json.loads(run("curl", "-fsSk", "-H", f"Authorization: Bearer {token}", address).stdout)

    def wait_for(self, what: str, condition: Callable[[], Any], timeout_s: float = 60) -> Any:
        """Wait until the condition holds (an error counts as not yet) and return what it gave."""
        deadline = time.monotonic() + timeout_s
        last: object = None
        while time.monotonic() < deadline:
            try:
                last = condition()
                if last:
                    return last
            except (AssertionError, ValueError) as error:
                last = error
            time.sleep(0.5)
        words = self.machine.ssh(
            "journalctl --no-pager -n 40 -u 'sep-*' -u 'postgresql@*'; journalctl --no-pager -n 20 -u nginx;"
            " tail -n 25 /var/log/postgresql/*.log /var/log/nginx/error.log",
            check=False,
        ).stdout
        raise AssertionError(f"{what}: not within {timeout_s} s; last: {last}\n{words}")

    def start_exchange(self) -> None:
        """The simulated exchange on this side of the network, with its accounts in a file."""
        command = [str(SEP), "exchange", "serve", "--token", TOKEN, "--account", ACCOUNT, "--clock", "live", "--hours",
                   "always", "--instruments", "EUR_USD", "--host", self.machine.gateway, "--port", "18099",
                   "--state", str(self.folder / "exchange.state")]  # fmt: skip
        with (self.folder / "exchange.log").open("w") as log:
            self._exchange = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._exchange.stdout is not None
        assert self._exchange.stdout.readline(), (self.folder / "exchange.log").read_text()
        self.exchange_url = f"http://{self.machine.gateway}:18099"

    def _listen(self) -> HTTPServer:
        """In place of the owner's phone, and of who keeps the dead-man's switch."""
        site = self

        class Phone(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                site.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["title"])
                self._answer()

            def do_GET(self) -> None:
                site.pings += 1
                self._answer()

            def _answer(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the console."""

        server = HTTPServer((self.machine.gateway, 18098), Phone)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def close(self) -> None:
        """End everything that was started."""
        self._owner.shutdown()
        self._owner.server_close()
        if self._exchange is not None:
            self._exchange.terminate()
            self._exchange.wait(10)
            if self._exchange.stdout is not None:
                self._exchange.stdout.close()
        stop_embedded(self.home)
        self.machine.close()

    def at_broker(self, path: str = "", method: str = "GET") -> Any:
        """Ask the exchange about the account, as its web page would show it."""
        url = f"{self.exchange_url}/v3/accounts/{ACCOUNT}{path}"
        headers = ["-H", f"Authorization: Bearer {TOKEN}", "-H", "Content-Type: application/json"]
        return json.loads(run("curl", "-fsS", "-X", method, *headers, url).stdout)

    def broker_trades(self) -> set[str]:
        """Ids of the trades that are open at the broker."""
        return {trade["id"] for trade in self.at_broker("/openTrades")["trades"]}

    def _certify(self) -> None:
        """A certificate for the domain, where certbot would have put it: of an authority of our own."""
        folder = self.machine.root / f"etc/letsencrypt/live/{DOMAIN}"
        folder.mkdir(parents=True)
        key, request = self.folder / "authority.key", self.folder / "request.pem"
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        run("openssl", "req", "-x509", *new_key, "-days", "30", "-subj", "/CN=Rehearsal", "-keyout", key,
            "-out", self.authority)  # fmt: skip
        run("openssl", "req", *new_key, "-subj", f"/CN={DOMAIN}", "-keyout", folder / "privkey.pem", "-out", request)
        extensions = self.folder / "extensions"
        extensions.write_text(f"subjectAltName=DNS:{DOMAIN}\nextendedKeyUsage=serverAuth\n")
        made = run("openssl", "x509", "-req", "-in", request, "-CA", self.authority, "-CAkey", key, "-days", "30",
                   "-extfile", extensions).stdout  # fmt: skip
        (folder / "fullchain.pem").write_text(made + self.authority.read_text())

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SEP_", "OANDA_"))}
        options = " ".join(self.machine.ssh_options())
        # The hand-over has its own key: what all share is the known host.
        shared = " ".join(
            option for option in self.machine.ssh_options() if option not in ("-i", str(self.machine.key))
        )
        return kept | {
            "ANSIBLE_SSH_COMMON_ARGS": options,
            "SEP_DEPLOY_VENV": str(base_system.CACHE / f"deploy-venv-{sys.version_info.minor}"),
            "SSH_OPTIONS": shared,
            "SEP_HANDOVER_KEY": str(self.folder / "handover_key"),
            "SEP": str(SEP),
            "SEP_HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "SEP_OUTBOX": str(self.folder / "outbox"),
            "SEP_BUNDLE_KEY": str(self.key),
            "SEP_ALERT_URLS": f"json://{self.machine.gateway}:18098/{SECRET}",
            "SEP_DEADMAN_URL": f"http://{self.machine.gateway}:18098/alive",
            "OANDA_API_KEY": TOKEN,
            "OANDA_ACCOUNT_ID": ACCOUNT,
            "OANDA_ENVIRONMENT": "custom",
            "OANDA_API_URL": self.exchange_url,
        }

    def _copy_tree(self) -> None:
        """The working tree as it is now: a change made while the rehearsal runs is not half of it."""
        listed = run("git", "-C", REPOSITORY, "ls-files", "--cached", "--others", "--exclude-standard").stdout
        for name in listed.splitlines():
            if name.startswith(("tests/", "docs/", "benchmarks/")) or not (REPOSITORY / name).is_file():
                continue
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, self.tree / name)

    def train(self) -> None:
        """One enabled pair, as training leaves it."""
        self.database = start_embedded(self.home)
        run(SEP, "db", "migrate", env=self._environment())
        with psycopg.connect(self.database) as connection:
            connection.execute(
                "INSERT INTO research_runs VALUES (gen_random_uuid(), 'EUR_USD', 'M1', now(), now(), 10, 'data', 'v',"
                " '{}', 1, 1, 'READY', 'rehearsal', '{}')"
            )
            connection.execute("INSERT INTO models SELECT 'model', 'EUR_USD', 'M1', id, '{}' FROM research_runs")
            connection.execute(
                "INSERT INTO trading_pairs (pair, enabled, model_id, verdict)"
                " VALUES ('EUR_USD', true, 'model', 'READY')"
            )


def _public(key: Path) -> list[str]:
    """Kind and public half of an ssh key."""
    return key.with_suffix(".pub").read_text().split()[:2]
