"""What people do on a simulated day, at the broker and in the database, and what a second trader does."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from sep_trader.exchange import witness
from sep_trader.exchange.accounts.trades import Trade
from sep_trader.exchange.market.figures import price_text
from sep_trader.execution import switch
from sep_trader.execution.journal import TwoTraders
from sep_trader.execution.settings import TraderSettings
from sep_trader.execution.trader import Trader
from sep_trader.risk.protections import Protection
from sep_trader.simulation.audit import day_queries
from sep_trader.simulation.calls import OneAfterTheOther
from sep_trader.simulation.judge import Violated
from sep_trader.simulation.schedule import Planned
from sep_trader.simulation.stack import MODELS, TOKEN
from sep_trader.simulation.wire import Wire, client_on
from sep_trader.states import RequestKind, TradingState

if TYPE_CHECKING:
    from sep_trader.simulation.world import World

_FIRST_SECOND = 100
"""Traders of other processes are numbered from here on."""
_AGAIN_S = 20.0
_OPERATOR_S = 400.0
_SECOND_FOR_S = 20
_LEAST_TICKS = 20
_BAD = UUID(int=0xBAD)
_LOSSES = frozenset({Protection.DAILY_LOSS, Protection.WEEKLY_LOSS, Protection.DRAWDOWN})


class _SecondWatch:
    """A second trader's requests are judged, too; nothing goes wrong with them."""

    def __init__(self, world: "World", number: int) -> None:
        self._world, self._number = world, number

    def request(self, step: str, method: str, path: str, body: Any) -> tuple[str, float]:
        """Judge a request."""
        self._world.trace.add(f"{self._world.clock.monotonic():.6f} {self._number} {step} send")
        world = self._world
        world.judge.request(step, path, body, world.now, self._number, world.audit_now())
        return "", 0.0

    def answered(self, step: str) -> None:
        """Nothing to do."""

    def over(self, step: str, seconds: float) -> None:
        """Nothing to do."""


class Acts:
    """Does what is planned, as soon as it can be done."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = random.Random(f"acts {world.schedule.seed}")  # noqa: S311
        self._over = False
        self.restarting = False
        self.lock_is_elsewhere = False
        self._seconds = _FIRST_SECOND

    def let_be(self) -> None:
        """Nothing is done any more."""
        self._over = True

    def do(self, planned: Planned) -> None:
        """Do an act; again a little later where it cannot be done now."""
        if self._over:
            return
        done: bool = getattr(self, f"_{planned.cell.fault}")()
        if done:
            self._world.faults.happened(planned.cell)
        else:
            self._world.clock.in_(_AGAIN_S, lambda: self.do(planned))

    def tripped(self, protection: str) -> None:
        """A protection has turned the switch: somebody looks after a while, and resumes."""
        if protection not in _LOSSES:
            self._world.clock.in_(_OPERATOR_S, lambda: self._turn(TradingState.ACTIVE))

    # -- at the broker

    def _ours(self) -> Trade | None:
        """A trade of ours whose market is open."""
        world = self._world
        return next(
            (
                trade
                for number in world.judge.opened
                if (trade := world.account.open_trades.get(number)) is not None
                and world.floor.books[trade.instrument].tradeable
            ),
            None,
        )

    def _ask(self, asked: witness.Asked) -> bool:
        """A person's own request at the broker."""
        world = self._world
        method, address, body = asked
        world.judge.persons = True
        try:
            answer = world.wire.hand_over(
                method, f"/v3/accounts/{world.account.id}/{address}", None, orjson.dumps(body)
            )
        finally:
            world.judge.persons = False
        return answer.status in (200, 201)

    def _closes_ours(self) -> bool:
        trade = self._ours()
        return trade is not None and self._ask(witness.close(trade.id))

    def _reduces_ours(self) -> bool:
        trade = self._ours()
        return trade is not None and self._ask(witness.close(trade.id, abs(trade.units) // 3))

    def _removes_stop(self) -> bool:
        trade = self._ours()
        return trade is not None and self._ask(witness.move_stop(trade.id, None))

    def _loosens_stop(self) -> bool:
        return self._moves_stop(-200)

    def _tightens_stop(self) -> bool:
        return self._moves_stop(50)

    def _moves_stop(self, nearer: int) -> bool:
        """Move the stop of ours by ticks towards the market, or away from it."""
        trade = self._ours()
        stop = None if trade is None else self._world.account.pending.get(trade.exits.get("STOP_LOSS", 0))
        if trade is None or stop is None:
            return False
        book = self._world.floor.books[trade.instrument]
        level = stop.price + (nearer if trade.long else -nearer)
        if (book.bid - level if trade.long else level - book.ask) < _LEAST_TICKS:
            return False
        return self._ask(witness.move_stop(trade.id, price_text(level, book.precision)))

    def _removes_marks(self) -> bool:
        trade = self._ours()
        return trade is not None and self._ask(witness.mark(trade.id, "mine now"))

    def _opens_own(self) -> bool:
        return self._ask(witness.buy("EUR_USD", self._chance.choice((-5000, 5000))))

    def _opens_opposite(self) -> bool:
        trade = self._ours()
        return trade is not None and self._ask(witness.buy(trade.instrument, -trade.units // 2))

    def crosses(self, order: dict[str, Any]) -> None:
        """A person opens a trade against an order that is under way."""
        sent = witness.ordered(order)
        self._ask(witness.buy(sent.instrument, -sent.units // 3))

    def _pays_in(self) -> bool:
        witness.pay(self._world.floor, self._world.account, Decimal(2500))
        return True

    def _pays_out(self) -> bool:
        witness.pay(self._world.floor, self._world.account, Decimal(-1500))
        return True

    def _unknown_entry(self) -> bool:
        witness.charge(self._world.floor, self._world.account, "MYSTERY_FEE", Decimal("-12.34"))
        return True

    def _unreadable_entry(self) -> bool:
        self._world.liveness.halting = True
        witness.spoil(self._world.floor, self._world.account)
        return True

    def _jump(self) -> bool:
        return True  # the day's market has it

    # -- in the database

    def _write(self, write: Callable[[Any], object]) -> bool:
        if self._world.by_person(lambda c: (write(c), True)) is None:
            return False
        self._world.audit_now(judged=True)
        self._world.wake()
        return True

    def _turn(self, state: TradingState) -> bool:
        if not self._write(lambda c: switch.turn(c, state, by="a person", why="as planned")):
            self._world.clock.in_(1.0, lambda: self._turn(state))
        return True

    def _reduces(self) -> bool:
        self._world.clock.in_(_OPERATOR_S, lambda: self._turn(TradingState.ACTIVE))
        return self._turn(TradingState.REDUCING)

    def halt_now(self) -> None:
        """A person halts in the middle of a pass."""
        self._world.by_person(lambda c: switch.turn(c, TradingState.HALTED, by="a person", why="at once"))
        self._world.audit_now(judged=True)
        self._world.clock.in_(_OPERATOR_S, lambda: self._turn(TradingState.ACTIVE))

    def _halts(self) -> bool:
        if self._chance.random() < 0.5:
            self._world.clock.in_(_OPERATOR_S / 2, lambda: self._unreadable_entry())
        self._world.clock.in_(_OPERATOR_S, lambda: self._turn(TradingState.ACTIVE))
        return self._turn(TradingState.HALTED)

    def _flattens(self) -> bool:
        return self._ours() is not None and self._request(RequestKind.FLATTEN, None)

    def _asks_close(self) -> bool:
        trade = self._ours()
        return trade is not None and self._request(RequestKind.CLOSE, trade.id)

    def _request(self, kind: RequestKind, trade_id: int | None) -> bool:
        account = self._world.account.id
        return self._write(
            lambda c: switch.ask(c, account, kind=kind, by="a person", why="as planned", trade_id=trade_id)
        )

    def _disables(self) -> bool:
        pair = self._chance.choice(sorted(MODELS))
        self._world.clock.in_(_OPERATOR_S, lambda: self._lets(pair, enabled=True))
        return self._lets(pair, enabled=False)

    def _lets(self, pair: str, *, enabled: bool) -> bool:
        if not self._write(lambda c: day_queries.execute(c, "rename_pair_right", pair=pair, enabled=enabled)):
            self._world.clock.in_(1.0, lambda: self._lets(pair, enabled=enabled))
        return True

    def _bad_signal(self) -> bool:
        now = datetime.fromtimestamp(self._world.now, UTC)
        candle = now.replace(second=7, microsecond=0) - timedelta(minutes=1)
        model = MODELS["EUR_USD"].id
        return self._write(
            lambda c: day_queries.execute(
                c, "spoil_signal", id=_BAD, pair="EUR_USD", model_id=model, candle_time=candle
            )
        )

    # -- other traders

    def _restarts(self) -> bool:
        self.restarting = True
        self._world.wake()
        return True

    def _second(self) -> Trader:
        """A trader of another process, on the same database and account."""
        world = self._world
        self._seconds += 1
        number = self._seconds
        wire = Wire(world.app, world.clock, TOKEN, _SecondWatch(world, number), self._chance)
        client = client_on(wire, world.clock, self._chance, world.account.id, TOKEN)
        settings = TraderSettings("custom", limits=world.judge.limits)
        return Trader(
            world.stack.second, client, settings, clock=world.clock, calls=OneAfterTheOther(world.clock),
            take_lock=lambda: world.take_lock(1, number),
        )  # fmt: skip

    def _second_trader(self) -> bool:
        if self._world.trader is None or not self._world.holder or self.lock_is_elsewhere:
            return False
        second = self._second()
        try:
            second.once()
        except TwoTraders:
            return True
        raise Violated("S3", "a second trader worked on the database while the first held the lock")

    def _lost_lock(self) -> bool:
        world = self._world
        if world.trader is None or not world.holder or self.lock_is_elsewhere:
            return False
        world.stack.holders[0].execute("SELECT pg_advisory_unlock_all()")
        second = self._second()
        self.lock_is_elsewhere = True
        self._goes_on(second, _SECOND_FOR_S)
        return True

    def _goes_on(self, second: Trader, left: int) -> None:
        """The second trader's passes, one a second; then it ends."""
        world = self._world
        if left and not self._over:
            try:
                second.once()
                world.audit_now(judged=True)
                world.clock.in_(1.0, lambda: self._goes_on(second, left - 1))
                return
            except TwoTraders:
                pass  # the first took the lock again before
        world.stack.holders[1].execute("SELECT pg_advisory_unlock_all()")
        if world.holder > _FIRST_SECOND:
            world.holder = world.judge.holder = 0
        self.lock_is_elsewhere = False
