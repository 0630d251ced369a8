"""The right of a pair to trade: who may give it, on which account, and who takes it. Each change leaves a row of
control_changes, which the database writes."""

from dataclasses import dataclass

from sep_trader.errors import InputError, NotAllowed
from sep_trader.risk.limits import Reason
from sep_trader.states import SpreadSource, Verdict
from sep_trader.store.database import Connection
from sep_trader.store.queries import queries


@dataclass(frozen=True, slots=True)
class _Judged:
    """A pair as the newest training left it."""

    model_id: str | None
    verdict: Verdict | None
    verdict_reason: str | None
    spread: SpreadSource
    """Where the spreads come from that the model was trained on."""
    e_forward: float | None
    """The account of candles after the design's release, and what it must be worth."""
    threshold: float | None


def enable(
    connection: Connection,
    pair: str,
    *,
    live: bool,
    user: str,
    by: str | None = None,
    why: str | None = None,
    override: bool = False,
) -> bool:
    """Let a pair trade; True when that is by an override.

    user: the login name, recorded where `by` names no person. A READY pair trades by its verdict. Any other pair needs
    `override` with a person's name (`by`) and a reason (`why`), and never trades on a `live` account. Raises InputError
    for a pair without a model or an override without words, NotAllowed for a pair that is not READY, and on a live
    account for one that was trained on candles without a spread or has not proven itself since its design's release.
    """
    judged = queries.one(connection, "pair_judged", _Judged, pair=pair)
    if judged is None or judged.model_id is None:
        raise InputError(f"{pair} has not been trained", f"run: train_manager.py train {pair}")
    overridden = judged.verdict is not Verdict.READY
    shown = (judged.verdict or Verdict.NOT_READY).replace("_", " ")
    if overridden:
        if not override:
            raise NotAllowed(f"{pair} is {shown}: {judged.verdict_reason}", "on a practice account: --override")
        if live:
            raise NotAllowed(f"{pair} is {shown}", "no override on a live account")
        if not (by and by.strip() and why and why.strip()):
            raise InputError("an override is recorded with a name and a reason", "give --by NAME --reason TEXT")
    if live and judged.spread is SpreadSource.UNKNOWN:
        raise NotAllowed(
            f"{pair} was trained without a recorded spread ({Reason.NO_SPREAD})",
            "train on candles with bid and ask, or declare a spread: --spread-pips",
        )
    if live and (judged.e_forward is None or judged.threshold is None or judged.e_forward < judged.threshold):
        worth = "unknown" if judged.e_forward is None else f"{judged.e_forward:.3g} of {judged.threshold:.0f}"
        raise NotAllowed(
            f"{pair} has not proven itself on candles after its design's release ({Reason.NOT_PROVEN_LIVE}): {worth}",
            "practice until its account is worth enough: sep status --json, e_forward",
        )
    queries.execute(
        connection,
        "enable_pair",
        pair=pair,
        override_by=by if overridden else None,
        override_reason=why if overridden else None,
        changed_by=_named(by, user),
        change_reason=why or f"READY: {judged.verdict_reason}",
    )
    return overridden


def disable(connection: Connection, pair: str, *, user: str, by: str | None = None, why: str | None = None) -> bool:
    """Take a pair's right to trade; False when it had none. `user` is as in `enable`.

    Raises InputError for an unknown pair.
    """
    if queries.one(connection, "pair_judged", _Judged, pair=pair) is None:
        raise InputError(f"{pair} is not known", "see: train_manager.py status")
    who = _named(by, user)
    return (
        queries.execute(connection, "disable_pair", pair=pair, changed_by=who, reason=why or f"disabled by {who}") > 0
    )


def _named(by: str | None, user: str) -> str:
    return (by or "").strip() or user
