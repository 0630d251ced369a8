"""Who may use the API: tokens, of which only hashes are kept; sessions of browsers, signed with a token's hash, so that
they end with it; links that let a browser in once."""

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sep_trader.errors import SepError
from sep_trader.store.database import Database
from sep_trader.store.queries import Row, queries

SESSION_S = 14 * 86_400
LINK_S = 600
_FRESH_S = 2.0
"""So long a revoked token may still be let in."""
_JUST_NOW_S = 0.2
_PREFIX = "sep_"
_LENGTH = len(_PREFIX) + 43


class Role(StrEnum):
    """What a token is for (api_tokens.role)."""

    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. session: the cookie's end in seconds since the epoch, None for a token in the header."""

    name: str
    role: Role
    hash: str
    session: int | None = None

    @property
    def csrf(self) -> str:
        """What a page of this session sends along with what it changes."""
        return _mac(self.hash, "csrf", self.name, str(self.session))


def new_token() -> str:
    """A token: 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def login_link(name: str, token: str, base: str, now: float) -> str:
    """An address that lets a browser in once, within ten minutes."""
    return f"{base}/login?link={_sealed(hash_of(token), 'link', name, int(now) + LINK_S, secrets.token_urlsafe(9))}"


class Access:
    """The tokens of one database, read again every two seconds. Safe between threads."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock
        self._lock = threading.Lock()
        self._by_hash: dict[str, tuple[str, Role]] = {}
        self._by_name: dict[str, str] = {}
        self._read_at: float | None = None
        self._used_links: dict[str, int] = {}

    def is_fresh(self) -> bool:
        """Whether what is known of the tokens is new enough."""
        return not self._is_older_than(_FRESH_S)

    def refresh(self) -> None:
        """Read the tokens again. While the database is away those known before hold; raises SepError where none are."""
        try:
            with self._database.transaction() as connection:
                rows = queries.many(connection, "api_tokens", Row)
        except SepError:
            if self._read_at is None:
                raise
            return
        good = [row for row in rows if row["revoked_at"] is None]
        with self._lock:
            self._by_hash = {row["hash"]: (row["name"], Role(row["role"])) for row in good}
            self._by_name = {row["name"]: row["hash"] for row in good}
            self._read_at = time.monotonic()

    def known(self, token: str) -> Caller | None:
        """Who has this token, by what is known already: it asks nobody."""
        kept = hash_of(token)
        found = self._by_hash.get(kept)
        return None if found is None else Caller(found[0], found[1], kept)

    def of_token(self, token: str) -> Caller | None:
        """Who has this token; one that was made a moment ago is looked up. Raises SepError where nothing is known."""
        found = self.known(token)
        if found is None and token.startswith(_PREFIX) and len(token) == _LENGTH and self._is_older_than(_JUST_NOW_S):
            self.refresh()
            found = self.known(token)
        return found

    def _is_older_than(self, seconds: float) -> bool:
        return self._read_at is None or time.monotonic() - self._read_at >= seconds

    def holds(self, caller: Caller) -> bool:
        """Whether a caller's token is not revoked, by what is known."""
        return caller.hash in self._by_hash

    def of_session(self, cookie: str) -> Caller | None:
        """Whose session this cookie is."""
        opened = self._opened("session", cookie)
        if opened is None:
            return None
        name, ends, _ = opened
        kept = self._by_name[name]
        return Caller(name, self._by_hash[kept][1], kept, ends)

    def session_of(self, caller: Caller) -> str:
        """A cookie for a caller."""
        return _sealed(caller.hash, "session", caller.name, int(self._clock()) + SESSION_S, secrets.token_urlsafe(9))

    def of_link(self, link: str) -> Caller | None:
        """Whom a link lets in: once."""
        opened = self._opened("link", link)
        if opened is None:
            return None
        name, ends, nonce = opened
        now = int(self._clock())
        with self._lock:
            self._used_links = {one: end for one, end in self._used_links.items() if end > now}
            if nonce in self._used_links:
                return None
            self._used_links[nonce] = ends
        kept = self._by_name[name]
        return Caller(name, self._by_hash[kept][1], kept)

    def _opened(self, kind: str, sealed: str) -> tuple[str, int, str] | None:
        """Name, end and nonce of something sealed; None where it is not ours, or over."""
        parts = sealed.split(".")
        try:
            name = base64.urlsafe_b64decode(parts[0]).decode()
            ends, nonce, mac = int(parts[1]), parts[2], parts[3]
        except (ValueError, IndexError):
            return None
        kept = self._by_name.get(name)
        if kept is None or len(parts) != 4 or ends < self._clock():
            return None
        good = hmac.compare_digest(mac.encode(), _mac(kept, kind, name, str(ends), nonce).encode())
        return (name, ends, nonce) if good else None


def _sealed(kept: str, kind: str, name: str, ends: int, nonce: str) -> str:
    shown = base64.urlsafe_b64encode(name.encode()).decode()
    return f"{shown}.{ends}.{nonce}.{_mac(kept, kind, name, str(ends), nonce)}"


def _mac(key: str, *parts: str) -> str:
    return hmac.new(key.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()
