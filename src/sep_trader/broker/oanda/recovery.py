"""Find out what became of an order whose answer was lost: look, never send again.

The protocol. Before the order: keep its client id and the account's last transaction id. Send it once. When the
outcome is Unknown, scan the transactions after that id until they hold the order. The record is what counts: a lookup
by client id finds pending orders only, and the broker accepts the same client id again once an order is filled.
A request may also arrive late, so a complete record without the order proves nothing until some time has passed.
"""

import time
from collections.abc import Callable

from sep_trader.broker.oanda.outcomes import NOT_FOUND
from sep_trader.broker.port import Broker, MarketOrder, Outcome, Unknown
from sep_trader.errors import BrokerError

PATIENCE_S = 30.0


def recover(
    broker: Broker,
    client_id: str,
    since_id: int,
    *,
    patience_s: float = PATIENCE_S,
    first_wait_s: float = 0.1,
    longest_wait_s: float = 2.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Scan the account's record after `since_id` until it tells what became of the order, for `patience_s` seconds.

    Never sends anything but reads and never raises BrokerError. Unknown(NOT_FOUND): the record is complete up to its
    last id and does not hold the order at the end of the time; Unknown with another cause: it could not be read whole.
    The time is checked between scans, so one read's own retries may add to it.
    """
    deadline = clock() + patience_s
    wait_s = first_wait_s
    while True:
        outcome, worth_waiting = _look(broker, client_id, since_id)
        left_s = deadline - clock()
        if not isinstance(outcome, Unknown) or not worth_waiting or left_s <= 0:
            return outcome
        sleep(min(wait_s, left_s))
        wait_s = min(wait_s * 2, longest_wait_s)


def place_and_recover(broker: Broker, order: MarketOrder, since_id: int, *, patience_s: float = PATIENCE_S) -> Outcome:
    """Send an order once and, should its outcome be Unknown, `recover` it.

    `since_id` is the account's last transaction id before this call; persist it with the order's client id first, so
    that the same recovery can follow a crash.
    """
    outcome = broker.place(order)
    if isinstance(outcome, Unknown):
        return recover(broker, order.client_id, since_id, patience_s=patience_s)
    return outcome


def is_absent(outcome: Outcome) -> bool:
    """Tell whether a recovery ended with a complete record that does not hold the order."""
    return isinstance(outcome, Unknown) and outcome.cause == NOT_FOUND


def _look(broker: Broker, client_id: str, since_id: int) -> tuple[Outcome, bool]:
    """The outcome of one scan, and whether another one later may tell more."""
    try:
        return broker.resolve(client_id, since_id), True
    except BrokerError as error:
        return Unknown(error.message), error.retryable
