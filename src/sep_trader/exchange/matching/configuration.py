"""Configure an account: its alias and its margin rate."""

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.market.figures import number_text, read_number
from sep_trader.exchange.matching.answers import Answer, Body
from sep_trader.exchange.matching.refusals import Reject, words


def configure(floor: Floor, account: Account, body: object, request: str) -> Answer:
    """PATCH configuration: alias and margin rate."""
    raw = body if isinstance(body, dict) else {}
    batch = Batch(account, floor.now, request)
    fields: Body = {}
    status = 400
    try:
        if raw.get("alias") is None and raw.get("marginRate") is None:
            raise Reject("CLIENT_CONFIGURE_DATA_MISSING")
        if raw.get("alias") is not None:
            fields["alias"] = str(raw["alias"])
            if not 0 < len(fields["alias"]) <= 128:
                raise Reject("ALIAS_INVALID")
        if raw.get("marginRate") is not None:
            rate = read_number(raw["marginRate"])
            fields["marginRate"] = str(raw["marginRate"]) if rate is None else number_text(rate)
            if rate is None or not 0 < rate <= 1:
                raise Reject("MARGIN_RATE_INVALID")
            account.margin_rate = rate
        account.alias = fields.get("alias", account.alias)
    except Reject as no:
        entry = batch.add("CLIENT_CONFIGURE_REJECT", {**fields, "rejectReason": no.reason})
        floor.commit(batch)
        answer = {"clientConfigureRejectTransaction": entry, "lastTransactionID": str(account.record.last)}
        return status, {**answer, "errorMessage": words(no.reason), "errorCode": no.reason}
    entry = batch.add("CLIENT_CONFIGURE", fields)
    floor.commit(batch)
    return 200, {"clientConfigureTransaction": entry, "lastTransactionID": str(account.record.last)}
