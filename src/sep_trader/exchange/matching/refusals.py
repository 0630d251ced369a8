"""The ways in which the exchange says no, and the words that go with each reason."""

from typing import Any

Body = dict[str, Any]

_WORDS = {
    "UNITS_LIMIT_EXCEEDED": "The units specified exceeds the maximum number of units allowed",
    "UNITS_INVALID": "Order units specified are invalid",
    "UNITS_PRECISION_EXCEEDED": "The units specified contain more precision than is allowed for the Order's instrument",
    "UNITS_MINIMUM_NOT_MET": "The units specified are less than the minimum allowed for the Order's instrument",
    "TIME_IN_FORCE_INVALID": "The TimeInForce specified is invalid",
    "ORDER_DOESNT_EXIST": "The Order specified does not exist",
    "TRADE_DOESNT_EXIST": "The Trade specified does not exist",
    "NO_SUCH_ORDER": "The order ID specified does not exist",
    "NO_SUCH_TRADE": "The trade ID specified does not exist",
    "NO_SUCH_TRANSACTION": "The transaction ID specified does not exist",
    "NO_SUCH_POSITION": "The position specified does not exist",
    "CLOSEOUT_POSITION_DOESNT_EXIST": "The Position requested to be closed out does not exist",
    "CLIENT_ORDER_ID_ALREADY_EXISTS": "The client Order ID specified is already assigned to another pending Order",
    "PRICE_PRECISION_EXCEEDED": "The price specified contains more precision than is allowed for the instrument",
}


def words(reason: str) -> str:
    """A sentence for a reason."""
    return _WORDS.get(reason) or "The request was refused: " + reason.lower().replace("_", " ")


class Refusal(Exception):
    """An answer with an error status and a body. `code` is left out of the body when it is empty."""

    def __init__(self, status: int, message: str, code: str = "", extra: Body | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Body = {**(extra or {})}
        if code:
            self.body["errorCode"] = code
        self.body["errorMessage"] = message


class BadParameter(Refusal):
    """A malformed or unknown parameter: no transaction, no id used up."""

    def __init__(self, name: str, note: str = "") -> None:
        message = f"Invalid value specified for '{name}'{note}"
        super().__init__(400, message, "oanda::rest::core::InvalidParameterException")


class MissingData(Refusal):
    """A request without what it cannot do without."""

    def __init__(self) -> None:
        super().__init__(400, "The request was missing required data")


class NotFound(Refusal):
    """Something asked for by id that is not there."""

    def __init__(self, code: str, last_id: int) -> None:
        super().__init__(404, words(code), code, {"lastTransactionID": str(last_id)})


class Reject(Exception):
    """A refused order: the caller turns it into a reject transaction, which takes an id."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
