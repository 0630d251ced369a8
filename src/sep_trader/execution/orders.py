"""The order desk: decides new signals, writes intents, sends orders once, and closes trades."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from sep_trader.broker.port import AccountSummary, Broker, MarketOrder, Outcome, Pricing, Rejected, Unknown
from sep_trader.errors import BrokerAuthError, BrokerError, InputError
from sep_trader.execution import switch
from sep_trader.execution.decide import MarketView, Permission, SignalToTrade, decide, expired, permitted, unusable
from sep_trader.execution.journal import Journal
from sep_trader.execution.reconcile import OUR_MARK
from sep_trader.execution.rows import Execution, NewSignal, PairRight
from sep_trader.market.instrument import Instrument, standard_instrument
from sep_trader.risk.limits import Approved, Exposure, Reason, Refused, RiskLimits, daily_loss_reached
from sep_trader.states import ExecutionStatus, SignalStatus, SpreadSource, TradingState, Verdict
from sep_trader.store.database import Connection, Database
from sep_trader.store.logs import Log
from sep_trader.store.queries import queries

_ZERO = Decimal(0)
DAILY_LOSS = "daily loss limit"
"""Who turns the switch down when a day has lost too much."""


@dataclass(frozen=True, slots=True)
class TraderSettings:
    """How the daemon trades. Times in seconds of this machine's clock."""

    environment: str
    live_allowed: bool = False
    limits: RiskLimits = field(default_factory=RiskLimits)
    poll_s: float = 2.0
    status_s: float = 2.0
    unknown_patience_s: float = 30.0
    close_retry_s: float = 5.0
    record_patience_s: float = 60.0
    silence_s: float = 5.0
    loss_check_s: float = 5.0


class OrderDesk:
    """Everything that is sent to the broker goes through here."""

    def __init__(
        self, database: Database, broker: Broker, journal: Journal, settings: TraderSettings, log: Log
    ) -> None:
        self._database, self._broker, self._journal = database, broker, journal
        self._settings, self._log = settings, log
        self._instruments: dict[str, Instrument] = {}

    def trade_new_signals(self, now: datetime) -> datetime:
        """Decide every new signal, oldest first; return the latest broker time seen."""
        with self._database.transaction() as connection:
            signals = queries.many(connection, "new_signals", NewSignal)
        for signal in signals:
            now = max(now, self._decide(signal, now))
        return now

    def _decide(self, signal: NewSignal, now: datetime) -> datetime:
        """Trade or refuse one signal; returns the latest broker time seen."""
        wanted = _to_trade(signal)
        if isinstance(wanted, Refused):
            self._refuse(signal, wanted, now)
            return now
        refusal = unusable(wanted) or expired(signal.expires_at, now)
        if refusal is not None:
            self._refuse(signal, refusal, now)
            return now
        return self._trade_or_refuse(signal, wanted, now)

    def broker_time(self) -> datetime:
        """The broker's clock. Asked for with the first instrument of the account, since a quote carries it."""
        names = [i.name for i in self._broker.instruments()]
        return self._broker.pricing(names[:1]).time

    def _trade_or_refuse(self, signal: NewSignal, wanted: SignalToTrade, now: datetime) -> datetime:
        """`_trade`; an error that concerns this signal alone ends this signal alone."""
        with self._database.transaction() as connection:
            refusal = permitted(signal.pair, signal.model_id, self._permission(connection, signal.pair))
            refusal = refusal or self._ordered_before(connection, signal)
        if refusal is not None:
            self._refuse(signal, refusal, now)
            return now
        try:
            return self._trade(signal, wanted, now)
        except BrokerAuthError:
            raise
        except BrokerError as error:
            if error.retryable:
                raise
            self._refuse(signal, Refused(Reason.BROKER_REFUSED, str(error)), now)
            return now

    def _ordered_before(self, connection: Connection, signal: NewSignal) -> Refused | None:
        """Refuse a signal whose order the broker has had: books restored to an earlier time have forgotten it."""
        client_id = _client_id(signal)
        account = self._broker.account_id
        if queries.value(
            connection, "ordered_before", bool, account_id=account, client_id=client_id, since=signal.candle_time
        ):
            return Refused(Reason.ORDERED_BEFORE, f"the broker's record has an order {client_id} already")
        return None

    def _trade(self, signal: NewSignal, wanted: SignalToTrade, now: datetime) -> datetime:
        instrument = self._instrument(signal.pair)
        account = self._broker.summary()
        held = frozenset(trade.instrument for trade in self._broker.open_trades())
        pricing = self._broker.pricing([signal.pair])
        with self._database.transaction() as connection:
            permission = self._permission(connection, signal.pair)
            exposure = self._exposure(connection, account, pricing.time, held, signal.pair)
        market = _market_view(pricing, instrument, account.currency, now)
        try:
            decision = decide(wanted, permission, market, account, exposure, instrument, self._settings.limits)
        except ArithmeticError as error:  # of figures that no price has the digits for
            decision = Refused(Reason.BAD_SIGNAL, f"{type(error).__name__}: {error}")
        if isinstance(decision, Refused):
            self._refuse(signal, decision, market.now)
        else:
            self._place(signal, decision, account, market.now)
        return market.now

    def _place(self, signal: NewSignal, order: Approved, account: AccountSummary, now: datetime) -> None:
        client_id = _client_id(signal)
        with self._database.transaction() as connection:
            execution_id = queries.value(
                connection,
                "insert_intent",
                int,
                signal_id=signal.id,
                account_id=self._broker.account_id,
                pair=signal.pair,
                client_id=client_id,
                units=order.units,
                intent_time=now,
                intent_transaction_id=account.last_transaction_id,
                expected_price=order.expected_price,
                stop_price=order.stop_price,
                target_price=order.target_price,
            )
            text = f"{order.units} {signal.pair} near {order.expected_price}, stop {order.stop_price}"
            self._log.write(connection, "order_intent", text, broker_time=now, client_id=client_id, signal=signal.id)
        outcome = self._broker.place(
            MarketOrder(
                instrument=signal.pair,
                units=order.units,
                client_id=client_id,
                stop_loss=order.stop_price,
                take_profit=order.target_price,
                # Never against a trade that somebody opened since we looked.
                position_fill="OPEN_ONLY",
            )
        )
        self._after_sending(execution_id, client_id, outcome)

    def _after_sending(self, execution_id: int, client_id: str, outcome: Outcome) -> None:
        """Book what the record says. Only what left no trace in it is booked from the answer itself."""
        if isinstance(outcome, Unknown):
            with self._database.transaction() as connection:
                queries.execute(connection, "doubt_execution", id=execution_id, reason=outcome.cause)
                self._log.write(connection, "order_unknown", outcome.cause, level="error", client_id=client_id)
        self._journal.catch_up()
        if isinstance(outcome, Rejected):
            with self._database.transaction() as connection:
                execution = self._journal.execution_of(connection, client_id)
                if execution is not None and execution.status is ExecutionStatus.INTENT:
                    self._journal.reject(connection, execution, outcome.reason, outcome.message)

    def close(self, execution: Execution, now: datetime) -> None:
        """Close a trade whose horizon has come. Repeating it is harmless: a closed trade cannot be closed again."""
        if execution.trade_id is None:
            raise ValueError(f"execution {execution.id} has opened no trade")
        with self._database.transaction() as connection:
            text = f"{execution.pair} trade {execution.trade_id} has reached its horizon"
            self._log.write(connection, "closing_at_horizon", text, broker_time=now, trade_id=execution.trade_id)
        outcome = self._broker.close_trade(execution.trade_id)
        self._journal.catch_up()
        if isinstance(outcome, Rejected | Unknown):
            cause = outcome.reason if isinstance(outcome, Rejected) else outcome.cause
            with self._database.transaction() as connection:
                self._log.write(connection, "close_failed", cause, level="warning", trade_id=execution.trade_id)

    def give_up(self, execution: Execution) -> None:
        """Book an order that the broker's complete record does not hold as never arrived. Should it arrive after all,
        its fill is booked all the same, and turns this around."""
        text = f"the broker's record up to {self._journal.last_id} does not hold the order"
        with self._database.transaction() as connection:
            self._journal.reject(connection, execution, Reason.ORDER_NOT_FOUND, text)

    def check_daily_loss(self, now: datetime) -> None:
        """Turn the switch down in the moment in which the day has lost too much, whether a signal comes or not."""
        with self._database.transaction() as connection:
            if switch.read(connection).state is not TradingState.ACTIVE:
                return
        account = self._broker.summary()
        with self._database.transaction() as connection:
            exposure = self._exposure(connection, account, now, frozenset(), "")
            if daily_loss_reached(exposure, self._settings.limits):
                opening = exposure.balance - exposure.net_pl_today
                why = f"NAV is {exposure.nav} after {opening} at the start of the day"
                switch.reduce_and_tell(connection, self._log, by=DAILY_LOSS, why=why, broker_time=now)

    def _refuse(self, signal: NewSignal, refusal: Refused, now: datetime) -> None:
        status = SignalStatus.EXPIRED if refusal.code is Reason.EXPIRED else SignalStatus.REFUSED
        with self._database.transaction() as connection:
            queries.execute(
                connection,
                "decide_signal",
                id=signal.id,
                status=status,
                reason_code=refusal.code,
                reason=refusal.text,
                decided_at=now,
            )
            text = f"{signal.pair}: {refusal.text}"
            self._log.write(connection, "signal_refused", text, broker_time=now, code=refusal.code, signal=signal.id)
            if refusal.code is Reason.DAILY_LOSS_LIMIT:
                switch.reduce_and_tell(connection, self._log, by=DAILY_LOSS, why=refusal.text, broker_time=now)

    def _permission(self, connection: Connection, pair: str) -> Permission:
        state = switch.read(connection)
        right = queries.one(connection, "pair_right", PairRight, pair=pair)
        return Permission(
            trading_state=state.state,
            state_reason=f"{state.reason} ({state.changed_by})",
            pair_enabled=right is not None and right.enabled,
            pair_ready=right is not None and right.verdict is Verdict.READY and right.override_reason is None,
            enabled_model_id=right.model_id if right else None,
            environment=self._settings.environment,
            live_allowed=self._settings.live_allowed,
            spread_known=right is not None and right.spread is not SpreadSource.UNKNOWN,
        )

    def _exposure(
        self, connection: Connection, account: AccountSummary, now: datetime, held: frozenset[str], pair: str
    ) -> Exposure:
        """What is carried already; `held` are the pairs of every trade at the broker, a person's own included: an order
        must not net against those."""
        live = queries.many(connection, "live_executions", Execution, account_id=self._broker.account_id)
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return Exposure(
            nav=account.nav,
            balance=account.balance,
            margin_available=account.margin_available,
            open_trades=len(live),
            unsettled_pairs=held.union(e.pair for e in live),
            net_pl_today=queries.value(
                connection, "net_pl_of_day", Decimal, account_id=self._broker.account_id, day=midnight
            ),
            last_exit=queries.optional(
                connection, "last_exit_of_pair", datetime, account_id=self._broker.account_id, pair=pair
            ),
        )

    def _instrument(self, pair: str) -> Instrument:
        if pair not in self._instruments:
            for instrument in self._broker.instruments([pair]):
                self._instruments[instrument.name] = instrument
        return self._instruments.get(pair) or standard_instrument(pair)


def _to_trade(signal: NewSignal) -> SignalToTrade | Refused:
    """What the decision reads of a signal; refused where its candle or its horizon cannot be told."""
    try:
        candle_end = signal.candle_end
        horizon_end = candle_end + signal.horizon
    except (InputError, OverflowError) as error:
        return Refused(Reason.BAD_SIGNAL, str(error))
    return SignalToTrade(
        pair=signal.pair,
        model_id=signal.model_id,
        side=signal.side,
        stop_distance=signal.stop_distance,
        target_distance=signal.target_distance,
        expires_at=signal.expires_at,
        candle_end=candle_end,
        horizon_end=horizon_end,
    )


def _client_id(signal: NewSignal) -> str:
    """What the order of a signal is called at the broker; the same whenever it is tried."""
    return f"{OUR_MARK}{signal.id.hex}"


def _market_view(pricing: Pricing, instrument: Instrument, currency: str, now: datetime) -> MarketView:
    """The broker's clock, quote and conversion rates for one instrument; rate 0 where it states none.

    now: the latest broker time known. An answer that is frozen does not tell its own age.
    """

    def factors(of: str) -> tuple[Decimal, Decimal]:
        return (Decimal(1), Decimal(1)) if of == currency else pricing.home_conversions.get(of, (_ZERO, _ZERO))

    price = next((p for p in pricing.prices if p.instrument == instrument.name), None)
    gain, loss = factors(instrument.base)
    return MarketView(
        max(pricing.time, now), price, loss_factor=factors(instrument.quote)[1], base_factor=(gain + loss) / 2
    )
