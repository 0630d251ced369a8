"""The broker's streams in a simulation: the exchange's lines, read as the client reads them, and what befalls them."""

from typing import TYPE_CHECKING

import orjson

from sep_trader.broker.oanda import wire
from sep_trader.broker.oanda.record import transaction
from sep_trader.broker.port import Heartbeat, StreamState
from sep_trader.exchange.http.wire import price_body
from sep_trader.execution.newest import Newest
from sep_trader.market.clock import from_epoch
from sep_trader.simulation.market import PAIRS
from sep_trader.simulation.schedule import Schedule

if TYPE_CHECKING:
    from sep_trader.simulation.world import World

_LATENCY_S = 0.04
_SKEW_S = 86_400
_ROUND_SIGNALS_S = (-1.4, -0.9, -0.4, 0.1, 0.6, 1.1, 1.6, 2.1)


class Feed:
    """Tells the trader prices round the signals, every transaction, and whether the streams are connected."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._newest: Newest | None = None
        self._held: list[bytes] = []
        self._cut: set[str] = set()

    def connect(self, newest: Newest | None) -> None:
        """Stream to a trader from now on; None for nobody."""
        self._newest, self._held = newest, []
        if newest is not None:
            for name in ("prices", "transactions"):
                newest.put(StreamState(name, connected=name not in self._cut))

    def plan(self, schedule: Schedule) -> None:
        """Prices come round each signal, as they would all the time."""
        for signal in schedule.signals:
            for apart in _ROUND_SIGNALS_S:
                self._world.clock.at(max(0.0, signal.at + apart), self._prices)

    def recorded(self, encoded: list[bytes]) -> None:
        """Transactions were recorded: their lines are on the way."""
        fault = self._fault("transactions")
        if "transactions" in self._cut:
            self._held += encoded
            return
        lines = list(encoded)
        if fault == "doubled":
            lines = [line for line in encoded for _ in range(2)]
        elif fault == "reordered":
            lines.reverse()
        elif fault == "skewed":
            self._world.clock.in_(_LATENCY_S, lambda: self._beat(_SKEW_S))
        for number, line in enumerate(lines):
            self._world.clock.in_(_LATENCY_S + 0.001 * number, lambda one=line: self._tell(one))  # type: ignore[misc]

    def _fault(self, stream: str) -> str:
        """The fault that strikes a stream now; one that ends it is begun here."""
        armed = self._world.strikes(stream, lambda _: True)
        if armed is None:
            return ""
        fault, seconds = armed.planned.cell.fault, max(armed.planned.seconds, 1.0)
        if fault in ("cut", "stall") and stream not in self._cut:
            self._cut.add(stream)
            if fault == "cut":
                self._say(StreamState(stream, connected=False, cause="simulated"))
            self._world.clock.in_(seconds, lambda: self._again(stream))
        return fault

    def _again(self, stream: str) -> None:
        """A stream is opened again: what was missed is read from the record."""
        self._cut.discard(stream)
        self._say(StreamState(stream, connected=True))
        if stream == "transactions":
            held, self._held = self._held, []
            for line in held:
                self._tell(line)

    def _prices(self) -> None:
        fault = self._fault("prices")
        if "prices" in self._cut or self._newest is None:
            return
        for pair in PAIRS:
            book = self._world.floor.books[pair]
            if not book.known:
                continue
            body = price_body(book)
            if fault == "skewed":
                body["time"] = from_epoch(int(self._world.now) + _SKEW_S).isoformat().replace("+00:00", "Z")
            price = wire.price(orjson.loads(orjson.dumps(body)))
            if price is not None:
                wait = 1.3 if fault == "reordered" and self._world.floor.now % 2 else _LATENCY_S
                self._world.clock.in_(wait, lambda one=price: self._say(one))  # type: ignore[misc]

    def _beat(self, skew_s: int) -> None:
        self._say(Heartbeat(from_epoch(int(self._world.now) + skew_s), self._world.account.record.last))

    def _tell(self, line: bytes) -> None:
        try:
            event = transaction(orjson.loads(line))
        except (ValueError, ArithmeticError, KeyError, TypeError):  # the reader breaks off, and reads the record
            self._beat(0)
            return
        self._say(event)

    def _say(self, event: object) -> None:
        if self._newest is not None:
            self._newest.put(event)  # type: ignore[arg-type]
