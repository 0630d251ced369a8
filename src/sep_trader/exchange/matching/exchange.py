"""The exchange in time: plays the tape, keeps the sessions, and lets what is due happen, in order, up to a moment."""

import heapq
from dataclasses import dataclass

from sep_trader.exchange.accounts.account import Account
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.market.sessions import next_cutoff
from sep_trader.exchange.market.tape import SHORT_SIDE, Block, Tape
from sep_trader.exchange.matching.financing import finance
from sep_trader.exchange.matching.resting import check_margin, expire, match

_SLICE = 4096
_NO_BUDGET = 1 << 62


@dataclass(slots=True)
class _Slice:
    """A stretch of the tape as plain lists, and how far it has been played."""

    time: list[int]
    instrument: list[int]
    bid: list[int]
    ask: list[int]
    side: list[int]
    at: int = 0


class Exchange:
    """Floor and tape under one clock that is moved from outside. Deterministic: the same calls give the same books."""

    def __init__(self, floor: Floor, tape: Tape, start: int) -> None:
        """Take up trading at `start` (ns), with the last quotes before it in the books."""
        self.floor = floor
        self.tape = tape
        floor.now = start
        self._block: Block | None = None
        self._played = 0
        self._slice = _Slice([], [], [], [], [])
        self._tape_end = start
        self.quotes = 0
        sessions = floor.policy.sessions
        is_open = sessions.is_open(start)
        for name, book in floor.books.items():
            quote = tape.last_before(name, start)
            if quote is not None:
                book.time, book.bid, book.ask = quote
                book.tradeable = is_open
                book.version += 1
        self._cutoff = next_cutoff(start)
        self._change = sessions.next_change(start)
        self._next_event = self._peek()

    @property
    def now(self) -> int:
        """Exchange time (ns): everything up to it has happened."""
        return self.floor.now

    @property
    def next_quote(self) -> int | None:
        """Time of the next quote on the tape (ns); None when the tape has ended."""
        return self._next_event

    def advance(self, until: int, budget: int = _NO_BUDGET) -> bool:
        """Let everything due up to `until` (ns) happen, at most about `budget` quotes; returns whether it is done."""
        floor = self.floor
        while True:
            timer = self._next_timer()
            stop = until if timer is None else min(until, timer - 1)
            while self._next_event is not None and self._next_event <= stop:
                budget -= self._play(stop, budget)
                if budget <= 0:
                    return False
            if timer is None or timer > until:
                floor.now = max(floor.now, until)
                return True
            floor.now = timer
            self._run_timers()

    def _peek(self) -> int | None:
        """Make sure that the slice has the next quote, and return its time."""
        part = self._slice
        if part.at < len(part.time):
            return part.time[part.at]
        block = self._block
        if block is None or self._played >= len(block.time):
            block = self._block = self.tape.block_after(self._tape_end)
            self._played = 0
            if block is None:
                return None
        lo, hi = self._played, min(self._played + _SLICE, len(block.time))
        columns = (block.time, block.instrument, block.bid, block.ask, block.side)
        self._slice = _Slice(*(column[lo:hi].tolist() for column in columns))
        self._played = hi
        self._tape_end = self._slice.time[-1] if hi < len(block.time) else max(self._tape_end, int(block.time[-1]))
        return self._slice.time[0]

    def _play(self, stop: int, budget: int) -> int:
        """Play quotes of the current slice up to `stop`; returns how many."""
        part, floor = self._slice, self.floor
        names = self.tape.instruments
        books = [floor.books[name] for name in names]
        triggers = [floor.triggers[name] for name in names]
        accounts = list(floor.accounts.values())
        first = part.at
        last = min(len(part.time), first + budget)
        at = first
        while at < last and (now := part.time[at]) <= stop:
            which, bid, ask, side = part.instrument[at], part.bid[at], part.ask[at], part.side[at]
            at += 1
            book = books[which]
            floor.now = now
            shown = (book.bid, book.ask, book.time)
            book.bid, book.ask, book.time = bid, ask, now
            resting = triggers[which]
            if book.tradeable:
                if resting.trailing or resting.touched(bid, ask):
                    match(floor, names[which], side)
                for account in accounts:
                    if account.by_instrument.get(names[which]):
                        check_margin(floor, account)
            elif not book.version:
                book.tradeable = floor.policy.sessions.is_open(now)
            if side == SHORT_SIDE:
                book.bid, book.ask, book.time = shown
            else:
                book.version += 1
        part.at = at
        self.quotes += at - first
        self._next_event = self._peek()
        return at - first

    def _next_timer(self) -> int | None:
        due = [self._cutoff]
        if self._change is not None:
            due.append(self._change)
        if self.floor.expiries:
            due.append(self.floor.expiries[0][0])
        return min(due)

    def _run_timers(self) -> None:
        """Let what is due now happen: openings and closings, financing, then expiries."""
        floor, now = self.floor, self.floor.now
        if self._change is not None and self._change <= now:
            self._set_tradeable(floor.policy.sessions.is_open(now))
            self._change = floor.policy.sessions.next_change(now)
        if self._cutoff <= now:
            for account in floor.accounts.values():
                finance(floor, account)
            self._cutoff = next_cutoff(now)
        while floor.expiries and floor.expiries[0][0] <= now:
            _, _, account_id, number = heapq.heappop(floor.expiries)
            expire(floor, floor.accounts[account_id], number)

    def _set_tradeable(self, is_open: bool) -> None:
        for name, book in self.floor.books.items():
            if book.known:
                book.tradeable = is_open
                book.version += 1
                if is_open:
                    match(self.floor, name)

    def add_account(self, account: Account) -> None:
        """Let an account trade here."""
        self.floor.accounts[account.id] = account
