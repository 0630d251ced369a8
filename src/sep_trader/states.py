"""The words that tables and programs share: each enum holds the values of one column. Pure.

Every room may import this file, since the stages of the system meet at tables.
"""

from enum import StrEnum


class TradingState(StrEnum):
    """The switch (trading_state.state)."""

    ACTIVE = "ACTIVE"
    """New signals become orders."""
    REDUCING = "REDUCING"
    """Trades are closed, and none is opened."""
    HALTED = "HALTED"
    """Nothing is sent but what a person asks. Stops and targets rest at the broker."""

    @property
    def depth(self) -> int:
        """How far down the switch is: 0 for ACTIVE. A protection only turns to a greater depth."""
        return list(TradingState).index(self)


class SignalStatus(StrEnum):
    """What became of a signal (trading_signals.status)."""

    NEW = "NEW"
    EXECUTED = "EXECUTED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"


class Origin(StrEnum):
    """Where a signal came from (trading_signals.origin)."""

    MODEL = "model"
    PROBE = "probe"
    """A person tries the path with a small trade."""
    ADOPTED = "adopted"
    """A person's trade that was taken over."""


class SignalKind(StrEnum):
    """What a signal asks (trading_signals.kind)."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"
    """Close the trade of the same model that goes the other way."""


class RequestKind(StrEnum):
    """What is asked of the trader (trading_requests.kind)."""

    FLATTEN = "flatten"
    CLOSE = "close"
    HALT = "halt"
    REDUCE = "reduce"
    RESUME = "resume"
    ENABLE = "enable"
    DISABLE = "disable"
    LIMIT = "limit"

    @property
    def turns_to(self) -> TradingState | None:
        """The state to which it turns the switch; None for what does not."""
        turns = {"halt": TradingState.HALTED, "reduce": TradingState.REDUCING, "resume": TradingState.ACTIVE}
        return turns.get(self.value)

    @property
    def closes(self) -> bool:
        """Whether it asks for trades to be closed."""
        return self in (RequestKind.FLATTEN, RequestKind.CLOSE)


class ComponentState(StrEnum):
    """How a component was when it last reported (component_status.state)."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"


class RequestStatus(StrEnum):
    """What became of a request (trading_requests.status)."""

    NEW = "NEW"
    DONE = "DONE"
    REFUSED = "REFUSED"


class ExecutionStatus(StrEnum):
    """How far an order has come (trade_executions.status)."""

    INTENT = "INTENT"
    """The intent is written, and the order may have been sent."""
    UNKNOWN = "UNKNOWN"
    """The order was sent, and no answer told what became of it."""
    GIVEN_UP = "GIVEN_UP"
    """The broker's complete record did not hold the order for so long that it is taken as never arrived. Should it
    arrive after all, its trade is closed at once."""
    OPEN = "OPEN"
    """The order opened a trade."""
    CLOSED = "CLOSED"
    """The trade has ended."""
    REJECTED = "REJECTED"
    """The order opened nothing."""


class ExitReason(StrEnum):
    """Why a trade ended (trade_executions.exit_reason)."""

    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"
    TRAILING_STOP = "TRAILING_STOP"
    HORIZON = "HORIZON"
    """The trader closed the trade when its time was over."""
    STOP_PASSED = "STOP_PASSED"
    """The trader closed the trade: its stop was gone, and the market was beyond it."""
    LATE = "LATE"
    """The trader closed the trade: its order had been given up, and was filled after all."""
    FLATTENED = "FLATTENED"
    """A person, or a protection, closed every trade."""
    REQUESTED = "REQUESTED"
    """A person closed this trade with `sep trade close`."""
    SIGNAL = "SIGNAL"
    """The strategy turned to the other side: an exit signal closed the trade."""
    MARGIN_CLOSEOUT = "MARGIN_CLOSEOUT"
    MANUAL = "MANUAL"
    """Somebody else closed the trade, or the broker gave another reason."""


class Verdict(StrEnum):
    """What out-of-sample data say about a pair (trading_pairs.verdict)."""

    READY = "READY"
    NOT_READY = "NOT_READY"
    """There is no edge, or it does not pay its costs."""
    UNDECIDABLE = "UNDECIDABLE"
    """Not enough is known, and what would decide it is said."""


class SpreadSource(StrEnum):
    """Where the spreads come from that a model was trained on (models.artifact, costs.spread.source)."""

    RECORDED = "recorded"
    DECLARED = "declared"
    """By a person."""
    MEASURED = "measured"
    """On candles of the same pair that have one."""
    UNKNOWN = "unknown"
    """Trades were priced as if they were free: never READY, never on a live account."""


class ControlChange(StrEnum):
    """What a person, a protection or a training changed (control_changes.change)."""

    SWITCHED = "SWITCHED"
    """The switch was turned."""
    ENABLED = "ENABLED"
    """A pair may trade by its verdict."""
    OVERRIDDEN = "OVERRIDDEN"
    """A person let a pair trade that is not READY."""
    DISABLED = "DISABLED"
    """A pair may no longer trade."""
