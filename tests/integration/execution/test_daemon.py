"""`sep trade run` as a process: what it tells systemd, and what happens to it when its database dies."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg
from tests.integration.execution.conftest import World
from tests.support.waiting import wait_until

RUN = [sys.executable, "-m", "sep_trader", "trade", "run", "--poll", "0.2"]


def test_each_pass_tells_systemd_that_it_is_alive(world: World, tmp_path: Path) -> None:
    """C3: no watchdog."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service:
        service.bind(str(address))
        service.settimeout(20)
        with (tmp_path / "log").open("wb") as log:
            environment = world.environment() | {"NOTIFY_SOCKET": str(address)}
            process = psutil.Popen(RUN, env=environment, stderr=log, stdout=log)
        try:
            first = service.recv(100)
            told = [service.recv(100) for _ in range(5)]
            assert {first, *told} == {b"READY=1\nWATCHDOG=1"}
            process.suspend()
            time.sleep(0.3)
            service.settimeout(0.05)
            while True:
                try:
                    service.recv(100)
                except TimeoutError:
                    break
            process.resume()
            service.settimeout(5)
            assert service.recv(100)
        finally:
            process.resume()
            process.terminate()
            assert process.wait(10) == 0
    status = world.row("SELECT state, details FROM component_status WHERE component = 'trader'")
    assert status["state"] == "stopped"


def test_an_embedded_server_that_is_killed_is_started_again(world: World, tmp_path: Path) -> None:
    """C1: the daemon ended with exit code 4, and its trade stayed open past its horizon."""
    home = tmp_path / "home"
    environment = {k: v for k, v in world.environment().items() if k != "SEP_DATABASE_URL"} | {"SEP_HOME": str(home)}
    url = subprocess.run(
        [sys.executable, "-m", "sep_trader", "db", "url"], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = psutil.Popen(RUN, env=environment, stderr=out, stdout=out)
    try:
        wait_until(lambda: "trading" in log.read_text(), 30)
        server = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]))
        before = signs(url)
        server.kill()
        server.wait(10)
        wait_until(lambda: newer(url, before), 30)
        assert process.is_running()
        assert psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])).pid != server.pid
    finally:
        process.terminate()
        assert process.wait(15) == 0
        subprocess.run([sys.executable, "-m", "sep_trader", "db", "stop"], env=environment, check=False)


def signs(url: str) -> Any:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT updated_at FROM component_status WHERE component = 'trader'").fetchone()


def newer(url: str, before: Any) -> bool:
    try:
        return bool(signs(url) > before)
    except psycopg.OperationalError:
        return False


def test_a_wrong_token_is_told_in_words_and_the_daemon_looks_again(world: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = psutil.Popen(RUN, env=world.environment() | {"OANDA_API_KEY": "wrong"}, stderr=out, stdout=out)
    try:
        wait_until(lambda: "OANDA does not accept the token" in log.read_text(), 20)
        assert "check OANDA_API_KEY" in log.read_text()
        time.sleep(1)
        assert process.is_running()
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()
        assert process.wait(15) == 0


def test_the_daemon_starts_without_a_database_and_trades_when_it_is_there(world: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"postgresql://nobody@127.0.0.1:{port}/none"
    with log.open("wb") as out:
        process = psutil.Popen(RUN, env=world.environment() | {"SEP_DATABASE_URL": url}, stderr=out, stdout=out)
    try:
        wait_until(lambda: "protected by their marks until it is back" in " ".join(log.read_text().split()), 20)
        time.sleep(1)
        assert process.is_running()
    finally:
        process.terminate()
        assert process.wait(20) == 0
