"""Reading order requests: the two layers of refusal, malformed parameters and rejected orders, and what is accepted."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sep_trader.exchange.accounts.orders import DEPENDENT_TYPES, ENTRY_TYPES, Order
from sep_trader.exchange.market.figures import number_text, price_text, read_number, read_time, time_text, to_ticks
from sep_trader.exchange.market.terms import maximum_trailing_distance
from sep_trader.exchange.matching.refusals import BadParameter, MissingData, Reject
from sep_trader.market.instrument import Instrument

Body = dict[str, Any]
TIMES_IN_FORCE = ("GTC", "GTD", "GFD", "FOK", "IOC")
POSITION_FILLS = ("DEFAULT", "OPEN_ONLY", "REDUCE_FIRST", "REDUCE_ONLY")
TRIGGER_CONDITIONS = ("DEFAULT", "INVERSE", "BID", "ASK", "MID")
_RESTING = ("GTC", "GTD", "GFD")
_ALLOWED_TIMES = {
    "MARKET": ("FOK", "IOC"),
    "LIMIT": TIMES_IN_FORCE,
    "STOP": TIMES_IN_FORCE,
    "MARKET_IF_TOUCHED": _RESTING,
}
_MAX_TEXT = 128
ON_FILL = (
    ("takeProfitOnFill", "TAKE_PROFIT"),
    ("stopLossOnFill", "STOP_LOSS"),
    ("trailingStopLossOnFill", "TRAILING_STOP_LOSS"),
)


@dataclass(slots=True)
class Reader:
    """Reads one request for one instrument at a time (ns); `fields` collects the wire form as far as it was read."""

    raw: Body
    instrument: Instrument
    now: int
    fields: Body

    def choice(self, key: str, options: tuple[str, ...], default: str) -> str:
        """One of some words; BadParameter otherwise."""
        value = self.raw.get(key, default)
        if value not in options:
            raise BadParameter(f"order.{key}")
        return str(value)

    def price(self, key: str, prefix: str, *, needed: bool = True) -> int:
        """A positive price in ticks, 0 if none is given or needed; refused as `prefix`_MISSING and the like."""
        if self.raw.get(key) is None:
            if needed:
                raise Reject(f"{prefix}_MISSING")
            return 0
        value = read_number(self.raw[key])
        if value is None:
            raise BadParameter(f"order.{key}")
        self.fields[key] = number_text(value)
        if value <= 0:
            raise Reject(f"{prefix}_INVALID")
        ticks = to_ticks(value, self.instrument.display_precision)
        if ticks is None:
            raise Reject(f"{prefix}_PRECISION_EXCEEDED")
        self.fields[key] = price_text(ticks, self.instrument.display_precision)
        return ticks

    def trailing_distance(self, prefix: str) -> int:
        """A trailing stop's distance in ticks, within the instrument's limits."""
        ticks = self.price("distance", f"{prefix}PRICE_DISTANCE")
        distance = Decimal(ticks).scaleb(-self.instrument.display_precision)
        if distance < self.instrument.minimum_trailing_stop_distance:
            raise Reject(f"{prefix}PRICE_DISTANCE_MINIMUM_NOT_MET")
        if distance > maximum_trailing_distance(self.instrument):
            raise Reject(f"{prefix}PRICE_DISTANCE_MAXIMUM_EXCEEDED")
        return ticks

    def time_in_force(self, default: str, allowed: tuple[str, ...], prefix: str = "") -> tuple[str, int | None]:
        """The time in force and, for GTD, when it ends (ns)."""
        value = self.choice("timeInForce", TIMES_IN_FORCE, default)
        self.fields["timeInForce"] = value
        if value not in allowed:
            raise Reject(f"{prefix}TIME_IN_FORCE_INVALID")
        if value != "GTD":
            return value, None
        if self.raw.get("gtdTime") is None:
            gtd_prefix = prefix if prefix else "TIME_IN_FORCE_"
            raise Reject(f"{gtd_prefix}GTD_TIMESTAMP_MISSING")
        when = read_time(str(self.raw["gtdTime"]))
        if when is None:
            raise BadParameter("order.gtdTime")
        self.fields["gtdTime"] = time_text(when)
        if when <= self.now:
            raise Reject(f"{prefix or 'TIME_IN_FORCE_'}GTD_TIMESTAMP_IN_PAST")
        return value, when

    def extensions(self, key: str, prefix: str) -> Body | None:
        """Client extensions, refused as `prefix`_ID_INVALID, _TAG_INVALID or _COMMENT_INVALID."""
        if self.raw.get(key) is None:
            return None
        given = read_extensions(self.raw[key], f"order.{key}", prefix, self.fields, key)
        return given or None


def read_extensions(raw: object, name: str, prefix: str, fields: Body, key: str) -> Body:
    """Check client extensions; what is written goes to `fields` under `key`."""
    if not isinstance(raw, dict):
        raise BadParameter(name)
    known = {part: raw[part] for part in ("id", "tag", "comment") if raw.get(part) is not None}
    if not all(isinstance(value, str) for value in known.values()):
        raise BadParameter(name)
    if known:
        fields[key] = known
    for part, value in known.items():
        if len(value) > _MAX_TEXT or (part == "id" and not value):
            raise Reject(f"{prefix}_{part.upper()}_INVALID")
    return known


def read_units(raw: Body, instrument: Instrument, fields: Body) -> int:
    """Signed whole units, checked against the instrument's precision and limits."""
    if raw.get("units") is None:
        raise Reject("UNITS_MISSING")
    value = read_number(raw["units"])
    if value is None:
        raise BadParameter("order.units")
    fields["units"] = number_text(value)
    if not value:
        raise Reject("UNITS_INVALID")
    if value != int(value):
        raise Reject("UNITS_PRECISION_EXCEEDED")
    if abs(value) < instrument.minimum_trade_size:
        raise Reject("UNITS_MINIMUM_NOT_MET")
    if abs(value) > instrument.maximum_order_units:
        raise Reject("UNITS_LIMIT_EXCEEDED")
    return int(value)


def read_type(raw: Body) -> str:
    """The order's type; BadParameter for one that does not exist, MissingData for none."""
    kind = raw.get("type")
    if kind is None:
        raise MissingData
    if kind not in (*ENTRY_TYPES, *DEPENDENT_TYPES, "GUARANTEED_STOP_LOSS"):
        raise BadParameter("order.type")
    return str(kind)


def read_entry(raw: Body, kind: str, instrument: Instrument, now: int, fields: Body) -> Order:
    """Read a MARKET, LIMIT, STOP or MARKET_IF_TOUCHED order; raises BadParameter or Reject, `fields` then partial."""
    reader = Reader(raw, instrument, now, fields)
    fields["instrument"] = instrument.name
    order = Order(kind, instrument.name, fields)
    order.units = read_units(raw, instrument, fields)
    if kind != "MARKET":
        order.price = reader.price("price", "PRICE")
    if kind != "LIMIT":
        order.bound = reader.price("priceBound", "PRICE_BOUND", needed=False) or None
    default = "FOK" if kind == "MARKET" else "GTC"
    order.time_in_force, order.gtd = reader.time_in_force(default, _ALLOWED_TIMES[kind])
    order.position_fill = fields["positionFill"] = reader.choice("positionFill", POSITION_FILLS, "DEFAULT")
    if kind != "MARKET":
        order.trigger_condition = reader.choice("triggerCondition", TRIGGER_CONDITIONS, "DEFAULT")
        fields["triggerCondition"] = order.trigger_condition
        fields["partialFill"] = "DEFAULT"
    extensions = reader.extensions("clientExtensions", "CLIENT_ORDER")
    order.client_id = (extensions or {}).get("id")
    reader.extensions("tradeClientExtensions", "CLIENT_TRADE")
    if raw.get("guaranteedStopLossOnFill") is not None:
        raise Reject("STOP_LOSS_ON_FILL_GUARANTEED_NOT_ALLOWED")
    for key, exit_type in ON_FILL:
        if raw.get(key) is not None:
            if not isinstance(raw[key], dict):
                raise BadParameter(f"order.{key}")
            fields[key] = {}
            read_exit(raw[key], exit_type, instrument, now, fields[key], f"{exit_type}_ON_FILL_")
    return order


def read_exit(raw: Body, kind: str, instrument: Instrument, now: int, fields: Body, prefix: str = "") -> Order:
    """Read the terms of a take profit, stop loss or trailing stop; `prefix` says in reasons where they were given."""
    reader = Reader(raw, instrument, now, fields)
    order = Order(kind, instrument.name, fields)
    if str(raw.get("guaranteed", "")).lower() == "true":
        raise Reject(f"STOP_LOSS_{'ON_FILL' if prefix else 'ORDER'}_GUARANTEED_NOT_ALLOWED")
    if kind == "TRAILING_STOP_LOSS":
        order.distance = reader.trailing_distance(prefix)
    elif kind == "STOP_LOSS":
        _read_stop(reader, order, prefix)
    elif raw.get("distance") is not None and raw.get("price") is None:
        order.distance = reader.price("distance", f"{prefix}PRICE_DISTANCE")
    else:
        order.price = reader.price("price", f"{prefix}PRICE")
    order.time_in_force, order.gtd = reader.time_in_force("GTC", _RESTING, prefix)
    order.trigger_condition = reader.choice("triggerCondition", TRIGGER_CONDITIONS, "DEFAULT")
    fields["triggerCondition"] = order.trigger_condition
    extensions = reader.extensions("clientExtensions", f"{prefix}CLIENT_ORDER")
    order.client_id = (extensions or {}).get("id")
    return order


def _read_stop(reader: Reader, order: Order, prefix: str) -> None:
    price, distance = (reader.raw.get(key) is not None for key in ("price", "distance"))
    name = prefix or "STOP_LOSS_ORDER_"
    if price and distance:
        raise Reject(f"{name}PRICE_AND_DISTANCE_BOTH_SPECIFIED")
    if not price and not distance:
        raise Reject(f"{name}PRICE_AND_DISTANCE_BOTH_MISSING")
    if price:
        order.price = reader.price("price", f"{prefix}PRICE")
    else:
        order.distance = reader.price("distance", f"{prefix}DISTANCE" if prefix else "PRICE_DISTANCE")
