"""Find out what became of an order whose answer was lost, by the account's record."""

import time

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.broker.port import MarketOrder, Outcome, Unknown
from sep_trader.errors import BrokerError


def place_and_resolve(client: OandaClient, order: MarketOrder, since_id: int, *, patience_s: float = 30.0) -> Outcome:
    """Send an order once; while its outcome is Unknown, look into the record after `since_id`, never send again."""
    outcome = client.place(order)
    deadline = time.monotonic() + patience_s
    while isinstance(outcome, Unknown):
        try:
            outcome = client.resolve(order.client_id, since_id)
        except BrokerError as error:
            outcome = Unknown(error.message)
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return outcome
