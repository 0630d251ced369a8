"""What must be done, decided from one observation: the whole control of the trader as one pure function.

The order of the result is the order of the acts: the switch in memory, exits and protection, what is booked, orders,
notes. At most one act a trade, at most one order a pair. A part that was not seen forbids what would need it, and
nothing is concluded from it: an account that cannot be read is not an account without trades.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from sep_trader.broker.port import BrokerTrade
from sep_trader.execution.actions import Action, Answer, Close, Control, Mark, Note, Protect, TurnDown
from sep_trader.execution.exits import exit_of, mark_of, may_try
from sep_trader.execution.marks import Owner, owner_of
from sep_trader.execution.observation import Observation, Seen, Unseen
from sep_trader.execution.plan_books import book_keeping
from sep_trader.execution.plan_signals import decide_signals, is_exit_of
from sep_trader.execution.rows import Execution, Request
from sep_trader.execution.settings import TraderSettings
from sep_trader.execution.trips import trips
from sep_trader.risk.overrides import tightened
from sep_trader.risk.protections import Protection
from sep_trader.states import ExitReason, RequestKind, TradingState

_WITHOUT_A_LOOK = frozenset({ExitReason.HORIZON, ExitReason.LATE, ExitReason.FLATTENED, ExitReason.REQUESTED})
"""Closes that need no look at the account now: a trade that has ended meanwhile cannot be closed again."""
_PROTECTIONS = frozenset(str(protection) for protection in Protection)
PLAN_FAILED = "plan_failed"
_WAITS_AGAIN_S = 43_200.0


def plan(observation: Observation, settings: TraderSettings) -> tuple[Action, ...]:
    """The acts of one pass, in order, each with its cause. One that cannot be decided is told, and the rest goes on."""
    if isinstance(observation.books, Seen):
        settings = replace(settings, limits=tightened(settings.limits, observation.books.value.overrides))
    turned = _guarded(lambda: trips(observation, settings), "trips")
    turns = [a for a in turned if isinstance(a, TurnDown)]
    state, why = effective(observation, turns)
    flat = None if state is TradingState.HALTED else next((t for t in turns if t.flattens), None)
    controls = _guarded(lambda: _controls(observation), "controls")
    acts = controls + [
        replace(flat, flatten=_asks(observation)) if flat is not None and a is flat else a for a in turned
    ]
    acts += _guarded(lambda: _exits(observation, settings, state, flat), "exits")
    acts += _guarded(lambda: book_keeping(observation, settings), "books")
    if not any(isinstance(a, Note) and a.event == PLAN_FAILED for a in turned):  # what forbids an order is judged
        acts += _guarded(lambda: decide_signals(observation, settings, state, why), "signals")
    acts += _guarded(lambda: _requests_done(observation), "requests")
    acts += _guarded(lambda: _blindness(observation), "blindness")
    return tuple(acts)


def effective(observation: Observation, turned: list[TurnDown]) -> tuple[TradingState | None, str]:
    """The switch as it counts now, and why; None when nobody knows, since the books were never read.

    That is the books' switch, the lower one that could not be written yet, or what this pass turns it to.
    """
    books, memory = observation.books, observation.memory
    found: list[tuple[TradingState, str]] = []
    if isinstance(books, Seen):
        switch = books.value.switch
        found.append((switch.state, f"{switch.reason} ({switch.changed_by})"))
        # Asked from afar, and written in this pass: what turns down counts at once.
        found += [
            (r.kind.turns_to, f"{r.reason} ({r.requested_by})")
            for r in books.value.requests
            if r.kind.turns_to is not None
        ]
    elif memory.state is not None:
        found.append((memory.state, "as it was when the books could be read"))
    if memory.floor is not None:
        found.append((memory.floor[0], f"{memory.floor[2]} ({memory.floor[1]})"))
    found += [(action.state, f"{action.why} ({action.protection})") for action in turned]
    return max(found, key=lambda one: one[0].depth, default=(None, ""))


def _guarded(decide: Callable[[], Iterator[Action]], what: str) -> list[Action]:
    """The acts of one part of the plan as far as they could be decided: an error in one part is told, not raised."""
    acts: list[Action] = []
    try:
        acts.extend(decide())
    except Exception as error:  # whatever it is, exits must not wait for it
        text = f"the plan's {what} cannot be decided: {type(error).__name__}: {error}"
        acts.append(Note(PLAN_FAILED, text, "error", key=f"plan {what}"))
    return acts


def _controls(observation: Observation) -> Iterator[Action]:
    """What people ask of the switch and of pairs' rights, oldest first."""
    if isinstance(observation.books, Seen):
        yield from (Control(r) for r in observation.books.value.requests if not r.kind.closes)


def _asks(observation: Observation) -> bool:
    """Whether a request to close everything is to be written: a trade of ours is open, and none is pending."""
    if isinstance(observation.books, Unseen) or isinstance(observation.account, Unseen):
        return False
    pending = any(r.kind is RequestKind.FLATTEN and r.pair is None for r in observation.books.value.requests)
    ours = (owner_of(t, observation.database_id) is Owner.OURS for t in observation.account.value.trades)
    return not pending and any(ours)


def _exits(
    observation: Observation, settings: TraderSettings, state: TradingState | None, flat: TurnDown | None
) -> Iterator[Action]:
    """Close and protect what is ours; while HALTED, only what a person asks. flat: a protection closes everything."""
    seen = isinstance(observation.account, Seen)
    snapshot = observation.account.value if isinstance(observation.account, Seen) else observation.last_account
    by_trade, requests = _known(observation, state)
    for trade in snapshot.trades if snapshot is not None else ():
        execution = by_trade.get(trade.trade_id)
        ours = execution is not None or owner_of(trade, observation.database_id) is Owner.OURS
        asked = _asked(trade, ours, requests)
        if asked is None and execution is not None and state is not TradingState.HALTED:
            asked = _turned(trade, execution, observation)
        if asked is None and flat is not None and ours:
            asked = Close(trade, ExitReason.FLATTENED, f"{flat.protection}: {flat.why}")
        try:
            action = asked or (_needed(observation, settings, trade, execution) if ours else None)
        except Exception as error:  # one trade that cannot be judged must not keep the others waiting
            text = f"trade {trade.trade_id} cannot be judged: {type(error).__name__}: {error}"
            action = Note("trade_failed", text, "error", key=f"trade {trade.trade_id}")
        if state is TradingState.HALTED and asked is None:
            if ours:
                yield _halted_with(trade, settings)
            continue
        if action is None or isinstance(action, Note):
            yield from [action] if action else []
        elif not seen and not (isinstance(action, Close) and action.cause in _WITHOUT_A_LOOK):
            continue
        elif isinstance(action, Close) and _is_shut(observation, trade.instrument):
            yield _waits(action)
        elif may_try(
            observation.memory.attempts.get(trade.trade_id), observation.mono, observation.price_of(trade.instrument)
        ):
            yield action


def _is_shut(observation: Observation, pair: str) -> bool:
    """Whether the broker has just said that a pair cannot be traded: a close would be refused, at each start anew."""
    if isinstance(observation.pricing, Unseen):
        return False
    return any(price.instrument == pair and not price.tradeable for price in observation.pricing.value.prices)


def _waits(action: Close) -> Note:
    text = f"trade {action.trade.trade_id} is closed when the market of {action.trade.instrument} opens: {action.why}"
    return Note("exit_waits", text, "warning", key=f"waits {action.trade.trade_id}", every_s=_WAITS_AGAIN_S)


def _known(observation: Observation, state: TradingState | None) -> tuple[dict[int, Execution], tuple[Request, ...]]:
    """What the books say of trades and requests, nothing where they were not read. While HALTED only people ask."""
    if isinstance(observation.books, Unseen):
        return {}, ()
    books = observation.books.value
    asked = tuple(r for r in books.requests if not (state is TradingState.HALTED and r.requested_by in _PROTECTIONS))
    return {e.trade_id: e for e in books.executions if e.trade_id is not None}, asked


def _asked(trade: BrokerTrade, ours: bool, requests: tuple[Request, ...]) -> Close | None:
    """The close of a trade that a person asks for."""
    for request in requests:
        if not ours and not request.everything:
            continue
        if request.kind is RequestKind.CLOSE and request.trade_id == trade.trade_id:
            return Close(trade, ExitReason.REQUESTED, f"{request.requested_by}: {request.reason}")
        if request.kind is RequestKind.FLATTEN and request.pair in (None, trade.instrument):
            return Close(trade, ExitReason.FLATTENED, f"{request.requested_by}: {request.reason}")
    return None


def _turned(trade: BrokerTrade, execution: Execution, observation: Observation) -> Close | None:
    """The close that an exit signal asks for: of the same model, against the trade's side, and still in time."""
    if isinstance(observation.books, Unseen) or observation.now is None:
        return None
    for signal in observation.books.value.signals:
        if is_exit_of(signal, execution) and observation.now <= signal.expires_at:
            return Close(trade, ExitReason.SIGNAL, f"its strategy turned: signal {signal.id}")
    return None


def _needed(
    observation: Observation, settings: TraderSettings, trade: BrokerTrade, execution: Execution | None
) -> Close | Protect | Mark | Note | None:
    """What a trade of ours needs by its terms, and else by its marks."""
    price = observation.price_of(trade.instrument)
    instrument = observation.terms.get(trade.instrument)
    needed = exit_of(trade, execution, observation.now, price, instrument, settings.exits)
    return needed or mark_of(trade, execution, observation.database_id)


def _halted_with(trade: BrokerTrade, settings: TraderSettings) -> Note:
    text = f"trading is HALTED, and trade {trade.trade_id} ({trade.units} {trade.instrument}) stays open unattended"
    return Note("halted_with_open_trade", text, "error", key=f"halted {trade.trade_id}", every_s=settings.alarm_s)


def _requests_done(observation: Observation) -> Iterator[Action]:
    """End the requests of which nothing is open any more."""
    if isinstance(observation.books, Unseen) or isinstance(observation.account, Unseen):
        return
    trades = observation.account.value.trades
    pending = [e for e in observation.books.value.executions if e.trade_id is None]
    for request in (r for r in observation.books.value.requests if r.kind.closes):
        named = [t for t in trades if t.trade_id == request.trade_id]
        if request.kind is RequestKind.CLOSE:
            foreign = [t for t in named if owner_of(t, observation.database_id) is not Owner.OURS]
            if foreign and not request.everything:
                yield Answer(request.id, False, f"trade {request.trade_id} is not ours: ask with --all")
            elif not named:
                yield Answer(request.id, True, f"trade {request.trade_id} is not open")
            continue
        mine = [t for t in trades if request.pair in (None, t.instrument)]
        mine = [t for t in mine if request.everything or owner_of(t, observation.database_id) is Owner.OURS]
        under_way = [e for e in pending if request.pair in (None, e.pair)]
        if not mine and not under_way:
            yield Answer(request.id, True, "nothing is open")


def _blindness(observation: Observation) -> Iterator[Action]:
    """Say what cannot be seen."""
    for part, cause in observation.unseen.items():
        yield Note("blind", f"the {part} cannot be read: {cause}", "warning", key=f"blind {part}")
    if observation.doubted_time is not None:
        text = (
            f"the broker told {observation.doubted_time:%Y-%m-%d %H:%M:%S} UTC, which is far off: it moves nothing yet"
        )
        yield Note("implausible_time", text, "warning", key="time")
