"""GET /metrics in Prometheus' text format: what is in the tables, at the moment of the scrape."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sep_trader.api.parts import Parts
from sep_trader.api.reads import with_drawdown
from sep_trader.api.status import Storage
from sep_trader.store.queries import Row, queries

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_STATES = ("ACTIVE", "REDUCING", "HALTED")


def metrics(parts: Parts, storage: Storage) -> str:
    """All metrics."""
    now = datetime.now(UTC)
    with parts.database.transaction() as connection:
        orders = queries.many(connection, "order_outcomes", Row)
        signals = queries.many(connection, "signal_outcomes", Row)
        accounts = list(with_drawdown(_highest(queries.many(connection, "seen_accounts", Row))))
        components = queries.many(connection, "component_status", Row)
        waiting = queries.only(connection, "waiting", Row)
        state = queries.only(connection, "trading_state", Row)["state"]
        differences = queries.many(connection, "differences_found", Row)
        spans = [row["seconds"] for row in queries.many(connection, "signal_to_wire", Row)]
        info = queries.only(connection, "database_info", Row)
        usage = storage.usage(connection)
        findings = parts.findings(connection, now)
    backups = parts.backups()
    newest = max((one["created_at"] for one in backups or []), default=None)
    return "".join(
        [
            _family("sep_orders", "counter", "Orders by how far they came.",
                    [({"status": o["status"]}, o["orders"]) for o in orders]),
            _family("sep_signals", "counter", "Signals by status and reason code.",
                    [({"status": s["status"], "code": s["code"]}, s["signals"]) for s in signals]),
            _family("sep_trading_state", "gauge", "1 for the state of the switch.",
                    [({"state": one}, int(one == state)) for one in _STATES]),
            _family("sep_component_age_seconds", "gauge", "Since a component's last sign of life.",
                    [({"component": c["component"], "state": c["state"]}, c["age_s"]) for c in components]),
            _family("sep_stream_age_seconds", "gauge", "Since the trader last heard anything on its streams.",
                    [({}, c["details"]["stream_age_s"] + c["age_s"]) for c in components
                     if c["component"] == "trader" and c["details"].get("stream_age_s") is not None]),
            _family("sep_reconcile_differences", "counter", "Differences from the broker that were found, by kind.",
                    [({"event": one["event"]}, one["lines"]) for one in differences]),
            _family("sep_waiting", "gauge", "What waits for the trader.",
                    [({"what": name}, value) for name, value in waiting.items()]),
            _accounts(accounts),
            _histogram("sep_signal_to_wire_seconds", "From a signal's arrival to its order, of the newest.", spans),
            _family("sep_database_bytes", "gauge", "Size of the database.", [({}, info["size_bytes"])]),
            _family("sep_storage_share", "gauge", "Used share of each area's budget.",
                    [({"area": a.name}, a.share) for a in usage.areas]),
            _family("sep_backup_age_seconds", "gauge", "Age of the newest backup, where this process sees them.",
                    [] if newest is None else [({}, (now - newest).total_seconds())]),
            _family("sep_alarm", "gauge", "1 for a question of the health check that is not answered well.",
                    [({"alert": one["alert"]}, int(not one["ok"])) for one in findings]),
        ]
    )  # fmt: skip


def _highest(accounts: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """Each account after its highest NAV, so that its drawdown is against that."""
    for one in accounts:
        yield {**one, "nav": one["nav_high"], "kept": False}
        yield {**one, "kept": True}


def _accounts(found: Sequence[Mapping[str, Any]]) -> str:
    now = [one for one in found if one["kept"]]
    text = ""
    for name, key, said in (
        ("sep_balance", "balance", "Balance, account currency."),
        ("sep_equity", "nav", "NAV, account currency."),
        ("sep_margin_used", "margin_used", "Margin in use, account currency."),
        ("sep_day_profit", "day_pl", "Result since the broker's day began, account currency."),
        ("sep_drawdown_ratio", "drawdown", "How far the NAV is below its highest, a share of that."),
        ("sep_open_trades", "open_trades", "Open trades, a person's own included."),
        ("sep_account_age_seconds", "age_s", "Since the trader last saw the account."),
    ):
        text += _family(name, "gauge", said, [({"account": one["account_id"]}, one[key]) for one in now])
    return text


def _family(name: str, kind: str, said: str, samples: Sequence[tuple[Mapping[str, Any], Any]]) -> str:
    suffix = "_total" if kind == "counter" else ""
    lines = [f"# HELP {name}{suffix} {said}", f"# TYPE {name}{suffix} {kind}"]
    lines += [f"{name}{suffix}{_labels(labels)} {float(value):.12g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _histogram(name: str, said: str, values: Sequence[float]) -> str:
    lines = [f"# HELP {name} {said}", f"# TYPE {name} histogram"]
    lines += [f'{name}_bucket{{le="{bound:g}"}} {sum(value <= bound for value in values)}' for bound in _BUCKETS_S]
    lines += [
        f'{name}_bucket{{le="+Inf"}} {len(values)}',
        f"{name}_sum {sum(values):.6g}",
        f"{name}_count {len(values)}",
    ]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, Any]) -> str:
    def quoted(value: object) -> str:
        return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return "{" + ",".join(f'{key}="{quoted(value)}"' for key, value in labels.items()) + "}" if labels else ""
