"""Closed by default: who may come in, what they are told, and that nobody shuts others out."""

import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.serving import client_of, parts_for, served, token_of

from sep_trader.api import connections
from sep_trader.api.access import Access, Role, login_link
from sep_trader.api.buckets import Buckets, place_of
from sep_trader.api.parts import Limits
from sep_trader.store.database import Database
from sep_trader.store.queries import queries

KNOWN = [
    "/api/status",
    "/api/account",
    "/api/candles?pair=EUR_USD",
    "/api/events",
    "/metrics",
    "/openapi.json",
    "/docs",
]


@pytest.fixture
def stranger(database: Database) -> Iterator[httpx.Client]:
    """Somebody without a token."""
    with client_of(parts_for(database), None) as client:
        yield client


@pytest.mark.parametrize("path", KNOWN)
def test_without_a_token_nothing_is_told(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.json()["status"] == 401
    assert "Bearer" in answer.headers["www-authenticate"]


def test_what_is_unknown_is_not_there_and_probes_are_open(stranger: httpx.Client) -> None:
    assert stranger.get("/api/nothing").status_code == 404
    assert stranger.get("/api/nothing").headers["content-type"] == "application/problem+json"
    assert stranger.get("/healthz").json()["ok"] is True
    assert stranger.get("/readyz").json()["ok"] is True
    assert stranger.get("/static/app.css").status_code == 200
    assert stranger.get("/static/..%2fapp.py").status_code == 404


def test_a_browser_is_shown_the_door(stranger: httpx.Client) -> None:
    answer = stranger.get("/trades", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/trades")


@pytest.mark.parametrize("wrong", ["Bearer x", "Bearer", "Basic eDp5", "Bearer sep_" + "a" * 43])
def test_a_wrong_token_is_none(stranger: httpx.Client, wrong: str) -> None:
    assert stranger.get("/api/status", headers={"authorization": wrong}).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_good_token_under_a_wrong_name_is_refused(client: httpx.Client, host: str) -> None:
    assert client.get("/api/status", headers={"host": host}).status_code in (400, 421)


def test_what_a_reader_may_not(database: Database) -> None:
    with client_of(parts_for(database), token_of(database, "reader", Role.READ)) as client:
        assert client.get("/api/status").status_code == 200
        answer = client.post("/api/trading/halt", json={"reason": "x"})
        assert (answer.status_code, "may only read" in answer.json()["detail"]) == (403, True)
    with database.transaction() as connection:
        assert queries.many(connection, "requests_page", dict, limit=1) == []


def test_a_revoked_token_ends_within_seconds_and_its_sessions_do(database: Database, client: httpx.Client) -> None:
    address = str(client.base_url)
    link = login_link("tester", client.headers["authorization"].removeprefix("Bearer "), address, time.time())
    with httpx.Client(base_url=address) as browser:
        browser.get(link)
        assert browser.get("/").status_code == 200
        with database.transaction() as connection:
            queries.execute(connection, "revoke_token", name="tester")
        time.sleep(2.1)
        assert client.get("/api/status").status_code == 401
        assert browser.get("/", headers={"accept": "application/json"}).status_code == 401


def test_a_link_lets_in_once(client: httpx.Client) -> None:
    address, token = str(client.base_url), client.headers["authorization"].removeprefix("Bearer ")
    link = login_link("tester", token, address, time.time())
    first = httpx.get(link)
    assert "sep_session" in first.cookies
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert "sep_session" not in httpx.get(link).cookies
    late = login_link("tester", token, address, time.time() - 601)
    assert "sep_session" not in httpx.get(late).cookies
    forged = link[:-1] + ("0" if link[-1] != "0" else "1")
    assert "sep_session" not in httpx.get(forged).cookies


def test_a_login_by_form_and_what_a_page_may_change(client: httpx.Client) -> None:
    token = client.headers["authorization"].removeprefix("Bearer ")
    with httpx.Client(base_url=client.base_url) as browser:
        assert browser.post("/login", data={"token": "wrong"}).status_code == 401
        done = browser.post("/login", data={"token": token, "next": "/trades"})
        assert (done.status_code, done.headers["location"]) == (303, "/trades")
        page = browser.get("/").text
        csrf = page.split('name="csrf" content="')[1].split('"')[0]
        assert csrf
        body = {"reason": "a test"}
        assert browser.post("/api/trading/halt", json=body).status_code == 403
        assert browser.post("/api/trading/halt", json=body, headers={"x-csrf-token": "x" * 64}).status_code == 403
        # Understood; that no trader ever ran here is another matter.
        good = browser.post("/api/trading/halt", json=body, headers={"x-csrf-token": csrf})
        assert (good.status_code, "no trader has ever run here" in good.json()["detail"]) == (422, True)


@pytest.mark.parametrize("after", ["//evil.example", "https://evil.example/", "/\\evil.example", "evil"])
def test_a_login_leads_nowhere_else(client: httpx.Client, after: str) -> None:
    token = client.headers["authorization"].removeprefix("Bearer ")
    done = httpx.post(f"{client.base_url}/login", data={"token": token, "next": after})
    assert done.headers["location"] == "/"


def test_head_options_etag_and_gzip(client: httpx.Client) -> None:
    whole = client.get("/api/pairs")
    head = client.head("/api/pairs")
    assert (head.status_code, head.content) == (200, b"")
    assert client.options("/api/pairs").headers["allow"] == "GET, HEAD, OPTIONS"
    assert "POST" in client.options("/api/trading/halt").headers["allow"]
    again = client.get("/api/pairs", headers={"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    raw = client.build_request("GET", "/openapi.json", headers={"accept-encoding": "gzip"})
    answer = client.send(raw, stream=True)
    packed = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(packed) * 4 < len(gzip.decompress(packed))


def test_every_answer_carries_its_headers(client: httpx.Client) -> None:
    for path in ("/", "/api/status", "/api/nothing", "/login", "/static/app.js"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_a_public_status_says_only_whether_it_is_well(database: Database) -> None:
    with client_of(parts_for(database, public_status=True), None) as client:
        assert set(client.get("/api/status").json()) == {"ok", "time"}
        assert client.get("/api/account").status_code == 401


def test_too_many_are_told_to_slow_down(database: Database) -> None:
    limits = Limits(known_per_s=1, known_burst=5, unknown_per_s=1, unknown_burst=3)
    parts, token = parts_for(database, limits=limits), token_of(database)
    with client_of(parts, token) as client:
        codes = [client.get("/api/pairs").status_code for _ in range(8)]
        assert codes[:5] == [200] * 5
        assert 429 in codes[5:]
        assert int(client.get("/api/pairs").headers["retry-after"]) >= 1
        strangers = [httpx.get(f"{client.base_url}/api/pairs").status_code for _ in range(6)]
        assert strangers[:3] == [401] * 3
        assert 429 in strangers[3:]
        # Guesses at the door are counted, too.
        assert 429 in [httpx.post(f"{client.base_url}/login", data={"token": str(n)}).status_code for n in range(6)]


def test_one_customer_is_one_caller() -> None:
    assert place_of("2001:db8:1:2:aaaa::1") == place_of("2001:db8:1:2:bbbb::2") != place_of("2001:db8:1:3::1")
    assert place_of("::ffff:192.0.2.7") == place_of("192.0.2.7") == "192.0.2.7"
    buckets = Buckets(per_s=2.0, burst=2)
    assert [buckets.wait_s("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert buckets.wait_s("b", 0.0) == 0.0
    assert buckets.wait_s("a", 0.5) == 0.0


def test_idle_connections_leave_others_their_answers(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand that say nothing, from one address; another address is answered meanwhile."""
    connections.most_files()
    monkeypatch.setattr(connections, "SILENCE_S", 2.0)
    token = token_of(database)
    with served(parts_for(database)) as address:
        port = int(address.rsplit(":", 1)[1])
        idle = []
        for _ in range(2_000):
            one = socket.socket()
            one.bind(("127.0.0.2", 0))
            one.settimeout(5)
            one.connect(("127.0.0.1", port))
            idle.append(one)
        begun = time.monotonic()
        answer = httpx.get(f"{address}/api/status", headers={"authorization": f"Bearer {token}"}, timeout=5)
        assert answer.status_code == 200
        assert time.monotonic() - begun < 1.0
        # And the silent ones are sent away.
        time.sleep(2.5)
        assert all(one.recv(1) == b"" for one in idle[:20])
        for one in idle:
            one.close()


def test_a_slow_speaker_is_sent_away(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENCE_S", 1.0)
    with (
        served(parts_for(database)) as address,
        socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1]))) as slow,
    ):
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        slow.settimeout(2)
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            for _ in range(6):
                time.sleep(0.3)
                slow.sendall(b"X-A: b\r\n")
            assert slow.recv(100) == b""
        assert time.monotonic() - begun < 2.5


def test_tokens_hold_while_the_database_is_away(database: Database) -> None:
    access = Access(database)
    token = token_of(database)
    access.refresh()
    database.close()
    access.refresh()
    assert access.of_token(token) is not None


def test_the_token_itself_is_nowhere(database: Database, tmp_path: Path) -> None:
    token = token_of(database)
    with database.transaction() as connection:
        rows = connection.execute("SELECT to_jsonb(t)::text AS row FROM api_tokens t").fetchall()
    assert rows and all(token not in row["row"] for row in rows)


def test_many_listeners_get_the_same_events(client: httpx.Client) -> None:
    headers = dict(client.headers)
    got: list[str] = []

    def listen() -> None:
        with httpx.stream("GET", f"{client.base_url}/api/events", headers=headers, timeout=10) as answer:
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    got.append(line)
                    return

    threads = [threading.Thread(target=listen) for _ in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(10)
    assert got == ["event: overview"] * 20


def test_a_body_without_a_length_is_not_read(client: httpx.Client) -> None:
    """It could be of any."""
    endless = (b"x" * 1_000 for _ in range(100))
    assert httpx.post(f"{client.base_url}/login", content=endless).status_code == 413


def test_a_stream_ends_with_its_token(database: Database, client: httpx.Client) -> None:
    begun = time.monotonic()
    with httpx.stream("GET", f"{client.base_url}/api/events", headers=dict(client.headers), timeout=20) as answer:
        for number, line in enumerate(answer.iter_lines()):
            if number == 0:
                assert line == "event: overview"
                with database.transaction() as connection:
                    queries.execute(connection, "revoke_token", name="tester")
    assert time.monotonic() - begun < 15
