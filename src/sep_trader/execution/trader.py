"""The trading daemon: a control loop. Each pass sees everything, plans what must be done, and does it.

Streams, notifications and timers only wake it. Start is the first pass: a crash and a deploy look the same.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from psycopg.types.json import Jsonb

from sep_trader.broker.port import Broker
from sep_trader.execution.calls import Calls, ThreadedCalls
from sep_trader.execution.clocks import BrokerClock, Clock, ClockRules, SystemClock
from sep_trader.execution.executor import Executor
from sep_trader.execution.journal import Journal, TwoTraders
from sep_trader.execution.newest import Newest, Wake
from sep_trader.execution.observation import Observation, Seen, Unseen
from sep_trader.execution.observer import Observer
from sep_trader.execution.plan import plan
from sep_trader.execution.recollection import Recollection
from sep_trader.execution.settings import TraderSettings
from sep_trader.execution.trips import at_one_id
from sep_trader.states import ExecutionStatus
from sep_trader.store.database import Connection, Database
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries

__all__ = ["Trader", "TraderSettings"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_PAUSE_S = 5.0
_MOST_PASSES_AT_ONCE = 50


class Trader:
    """Trades one account of one broker from one database.

    `take_lock` takes the lock that keeps a second trader out, again if need be, and gives the session's number; None
    when another holds it. `revive` brings back a database server of our own that has died. Both may be left out.
    """

    def __init__(
        self,
        database: Database,
        broker: Broker,
        settings: TraderSettings,
        *,
        clock: Clock | None = None,
        clock_rules: ClockRules | None = None,
        calls: Calls | None = None,
        take_lock: Callable[[], int | None] | None = None,
        revive: Callable[[], None] | None = None,
    ) -> None:
        self._database, self._broker, self._settings = database, broker, settings
        self._clock = clock or SystemClock()
        self._calls = calls or ThreadedCalls()
        self._take_lock, self._revive = take_lock, revive
        self._reviving: threading.Thread | None = None
        self._log = Log("trader")
        self.wake = Wake()
        self.broker_clock = BrokerClock(self._clock.monotonic, clock_rules)
        self.newest = Newest(self._clock, self.broker_clock, self.wake)
        self.memory = Recollection()
        self.journal = Journal(broker.account_id, self._log)
        self._observer = Observer(database, broker, self._clock, self.broker_clock, self._calls, self.newest, settings)
        self._executor = Executor(
            database,
            broker,
            self.journal,
            self._calls,
            settings,
            self._log,
            self._clock.monotonic,
            self.broker_clock.now,
        )
        self._touched = True
        self._status_at = float("-inf")
        self._begun = False
        self._failures = 0
        self.stands_at: int | None = None
        """The transaction up to which the books were read in the last pass that could read them."""

    def once(self, *, signal: bool = False) -> Observation:
        """One pass. signal: a signal has come, so that a look that is a moment old may do.

        Raises TwoTraders when another trader works on this database.
        """
        observation = self._observer.look(self.memory, quick=signal, touched=self._touched)
        self.memory.learn(observation)
        if isinstance(observation.books, Seen) and observation.books.value.ledger is not None:
            self.stands_at = observation.books.value.ledger.last_transaction_id
        self._keep_lock(observation)
        actions = plan(observation, self._settings)
        acted = self._executor.carry_out(actions, observation, self.memory)
        # A pair that has come since is looked at at once, unless the broker has not told its terms.
        missing = (self.memory.pairs & observation.terms.keys()) - observation.asked
        self._touched = acted or (bool(missing) and not observation.unseen)
        self._tell_streams(observation)
        self._begin(observation)
        self.sign_of_life("running", observation)
        self._bring_back_database(observation)
        return observation

    def settle(self) -> Observation:
        """Passes until one has nothing to do: what was sent is seen, what was seen is booked."""
        for _ in range(_MOST_PASSES_AT_ONCE):
            observation = self.once()
            if not self._touched:
                break
        return observation

    def run(self, stopped: Callable[[], bool], after_pass: Callable[[], None] = lambda: None) -> None:
        """Pass after pass until `stopped()`. after_pass: called after each, such as to tell a watchdog.

        An error within a pass is told, and the next pass looks again. Raises TwoTraders.
        """
        signal = False
        self._quietly(lambda c: self._log.write(c, "trader_started", f"account {self._broker.account_id}"))
        while not stopped():
            begun, pause = self._clock.monotonic(), self._settings.least_s
            try:
                observation = self.once(signal=signal)
                self._failures = 0
                pause = pause if self._touched else self._pause(observation)
            except TwoTraders:
                raise
            except Exception as error:  # no single thing may end what guards the money
                self._failures += 1
                self._touched = True
                pause = min(_LONGEST_PAUSE_S, self._settings.pass_s * 2.0 ** (self._failures - 1))
                self._log.write(None, "pass_failed", f"{type(error).__name__}: {error}", level="error")
            after_pass()
            apart = max(0.0, self._settings.least_s - (self._clock.monotonic() - begun))
            self._clock.sleep(apart)
            self._clock.wait(self.wake.event, max(0.0, pause - apart))
            signal = self.wake.taken()
        self.sign_of_life("stopped", None)

    def close(self) -> None:
        """End the helpers."""
        self._calls.close()

    # -- what a pass is made of

    def _keep_lock(self, observation: Observation) -> None:
        """Hold the lock before anything is done. While the database is out of reach nobody can know; exits go on."""
        if self._take_lock is None:
            return
        lost = isinstance(observation.books, Seen) and not self._observer.lock_held
        if self._observer.lock_pid is None or lost:
            if not isinstance(observation.books, Seen):
                return
            pid = self._take_lock()
            if pid is None:
                raise TwoTraders("another trader runs on this database", "stop it first: two would double every order")
            self._observer.lock_pid = self._executor.lock_pid = pid
            self._observer.lock_held = True

    def _pause(self, observation: Observation) -> float:
        """Seconds until the next pass: at once where a horizon comes, seldom while flat and the market is closed."""
        if observation.unseen:
            return self._settings.pass_s
        pause = self._settings.pass_s
        books, pricing = observation.books, observation.pricing
        if isinstance(books, Seen) and isinstance(pricing, Seen):
            closed = not any(price.tradeable for price in pricing.value.prices)
            flat = not books.value.executions and not books.value.signals and not books.value.requests
            pause = self._settings.idle_s if closed and flat else pause
            now = observation.now or _EPOCH
            ends = [e.horizon_at for e in books.value.executions if e.horizon_at is not None]
            due = min((end for end in ends if end > now), default=None)
            if due is not None:
                pause = min(pause, (due - now).total_seconds() + 0.001)
        return pause

    def _begin(self, observation: Observation) -> None:
        """Tell the first pass that saw everything and found the books where the broker is."""
        if self._begun or observation.unseen or not at_one_id(observation):
            return
        self._begun = True
        account, books = observation.account, observation.books
        if isinstance(account, Seen) and isinstance(books, Seen):
            summary = account.value.summary
            live = sum(e.status is ExecutionStatus.OPEN for e in books.value.executions)
            money = f"balance {summary.balance} {summary.currency}"
            text = f"account {summary.account_id}, {money}, {live} of {len(account.value.trades)} open trades are ours"
            self._quietly(lambda c: self._log.write(c, "reconciled", text, broker_time=observation.now))

    def _tell_streams(self, observation: Observation) -> None:
        """Tell connections that were lost and made since the last pass."""
        states = [self.newest.states.popleft() for _ in range(len(self.newest.states))]

        def write(connection: Connection) -> None:
            for state in states:
                self._log.write(
                    connection,
                    "stream_connected" if state.connected else "stream_lost",
                    state.cause or state.stream,
                    level="info" if state.connected else "warning",
                    broker_time=observation.now,
                    stream=state.stream,
                )

        if states:
            self._quietly(write)

    def sign_of_life(self, state: str, observation: Observation | None) -> None:
        """Write how the trader is, at most every `status_s`; at the end in any case."""
        mono = self._clock.monotonic()
        if observation is not None and mono - self._status_at < self._settings.status_s:
            return
        if observation is not None and isinstance(observation.books, Unseen):
            return  # there is nobody to tell
        self._status_at = mono
        now = self.broker_clock.now()
        streams = self.newest.streams()
        newest = max((price.time for price, _ in streams.prices.values()), default=None)
        details: dict[str, object] = {
            "account": self._broker.account_id,
            "environment": self._settings.environment,
            "streams": dict(streams.connected),
            "streams_lost_s": {name: round(mono - since, 1) for name, since in streams.lost_at.items()},
            "stream_age_s": None if streams.heard_at is None else round(mono - streams.heard_at, 3),
            "newest_price": newest.isoformat() if newest else None,
            "price_age_s": round((now - newest).total_seconds(), 1) if newest and now else None,
        }
        if observation is not None:
            details |= _seen_details(observation)

        def write(connection: Connection) -> None:
            queries.execute(
                connection,
                "set_component_status",
                component="trader",
                broker_time=now,
                state=state,
                details=Jsonb(details),
            )

        self._quietly(write)

    def _quietly(self, write: Callable[[Connection], None]) -> None:
        """Write what may be lost."""
        try:
            with self._database.transaction() as connection:
                write(connection)
        except Exception as error:  # the books' own group tells a database that is out of reach
            if self.memory.is_new("unwritten signs of life", 10.0, self._clock.monotonic()):
                self._log.write(None, "not_written", f"signs of life: {error}", level="error")

    def _bring_back_database(self, observation: Observation) -> None:
        """Start a database server of our own again that has died, beside the passes, which go on."""
        since = self.memory.blind_since.get("books")
        if self._revive is None or since is None or observation.mono - since < self._settings.pass_s / 2:
            return
        if self._reviving is None or not self._reviving.is_alive():
            self._reviving = threading.Thread(target=self._revived, name="database-revival", daemon=True)
            self._reviving.start()

    def _revived(self) -> None:
        try:
            if self._revive is not None:
                self._revive()
        except Exception as error:  # the next pass tries again
            self._log.write(None, "database_not_started", str(error), level="error")


def _seen_details(observation: Observation) -> dict[str, object]:
    books, account = observation.books, observation.account
    details: dict[str, object] = {"unseen": observation.unseen}
    if isinstance(books, Seen):
        details["unsettled"] = len(books.value.executions)
        ledger = books.value.ledger
        details["last_transaction_id"] = None if ledger is None else ledger.last_transaction_id
    if isinstance(account, Seen):
        details["nav"] = str(account.value.summary.nav)
        details["open_trades"] = len(account.value.trades)
    return details
