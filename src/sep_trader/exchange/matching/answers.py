"""What a request is answered with: a status, a body with the transactions that it caused, or a reject transaction."""

from typing import Any

from sep_trader.exchange.accounts.account import Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.matching.refusals import MissingData, Reject, words

Body = dict[str, Any]
Answer = tuple[int, Body]


def read_object(body: object, key: str) -> Body:
    if not isinstance(body, dict) or not isinstance(body.get(key), dict):
        raise MissingData
    return dict(body[key])


def outcome(entry: Body) -> Body:
    return {"orderFillTransaction" if entry["type"] == "ORDER_FILL" else "orderCancelTransaction": entry}


def settle(floor: Floor, batch: Batch, answer: Body) -> Body:
    floor.commit(batch)
    return {**answer, "relatedTransactionIDs": batch.ids, "lastTransactionID": str(batch.account.record.last)}


def rejected(
    floor: Floor, batch: Batch, kind: str, fields: Body, no: Reject, reason: str, key: str = "order"
) -> Answer:
    """Record a reject transaction and answer with it."""
    why = {"reason": reason} if reason else {}
    entry = batch.add(kind, {"rejectReason": no.reason, **fields, **why})
    answer = settle(floor, batch, {f"{key}RejectTransaction": entry})
    return no.status, {**answer, "errorMessage": words(no.reason), "errorCode": no.reason}
