"""`sep demo`: the whole loop on one screen, from candles to filled trades and a daily report, by the real commands."""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer
from rich.rule import Rule

from sep_trader.cli import render
from sep_trader.cli.demo_market import DemoMarket, find_market, trading_day
from sep_trader.cli.demo_processes import DemoProcess
from sep_trader.cli.trade_shown import show_closed
from sep_trader.errors import InputError, SepError
from sep_trader.execution import switch
from sep_trader.listening import listen
from sep_trader.market.clock import format_rfc3339, from_epoch
from sep_trader.market.granularity import Granularity
from sep_trader.research import rights
from sep_trader.states import TradingState, Verdict
from sep_trader.store.database import Database
from sep_trader.store.queries import Row, queries

if TYPE_CHECKING:
    from sep_trader.research.training import TrainingResult

app = typer.Typer()
DEMO = "sep demo"
"""Who enables and turns the switch in a demonstration."""

ACCOUNT = "101-001-0000001-001"
TOKEN = "demo-token"  # noqa: S105 - of the simulated exchange, on this machine, for these minutes
UNATTENDED_S = 60
FIRST_HOUR, LAST_HOUR = 6, 16
"""UTC hours of the trading day between which signals are generated."""


@dataclass
class Demo:
    """What the steps of the demo share."""

    market: DemoMarket
    folder: Path
    speed: int
    quiet: bool
    database: Database
    url: str
    pairs: list[str] = field(default_factory=list)
    day: int = 0
    results: "list[TrainingResult]" = field(default_factory=list)
    enabled: str = ""
    exchange_url: str = ""
    candles: int = 0
    token: str = ""
    """That of the demo's API, made anew in each demo."""

    def say(self, title: str) -> None:
        """Begin a step on the screen."""
        if not self.quiet:
            # What is simulated is said first: a narrow terminal cuts the end.
            note = f"[yellow]{self.market.note}[/] " if self.market.simulated else ""
            render.console.print(Rule(f"{note}[bold]{title}[/]", align="left"), width=min(render.console.width, 100))

    def environment(self) -> dict[str, str]:
        """Settings of the child processes."""
        return {
            "SEP_DATABASE_URL": self.url,
            "SEP_HOME": str(self.folder),
            "OANDA_ENVIRONMENT": "custom",
            "OANDA_API_URL": self.exchange_url,
            "OANDA_STREAM_URL": self.exchange_url,
            "OANDA_API_KEY": TOKEN,
            "OANDA_ACCOUNT_ID": ACCOUNT,
            # An hour of broker time passes in seconds here: a quote may be older by the clock and still be the last.
            "SEP_PRICE_MAX_AGE_S": "300",
            "SEP_CLOCK_TOLERANCE_S": "1e9",
        }

    def exchange_state(self) -> dict[str, Any]:
        """The simulated exchange's own account of itself."""
        answer = httpx.get(f"{self.exchange_url}/_exchange/state", timeout=10).json()
        return dict(answer)


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option("--data", help="Folder with Lean candles (minute/eurusd/*.zip).")] = None,
    exit_at_end: Annotated[bool, typer.Option("--exit", help="End by itself instead of keeping the API up.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object at the end instead of tables.")] = False,
    speed: Annotated[int, typer.Option("--speed", min=1, help="At most so many times real time.")] = 1200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the simulated market, where there is no data.")] = 7,
    port: Annotated[int, typer.Option("--port", help="Port of the API; 0 takes a free one.")] = 8080,
) -> None:
    """Run the whole loop: database, candles, training, verdicts, exchange, signals, trades, report, API."""
    # Ctrl-C and SIGTERM alike end the children in order, also where a shell started this in the background.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    listen("127.0.0.1", port).close()  # better to hear of a taken port now than after the work
    folder = Path(tempfile.mkdtemp(prefix="sep-demo-"))
    folder.chmod(0o755)  # a server started by root runs as another user
    try:
        with _database(folder) as (database, url):
            run = Demo(find_market(data, folder, seed), folder, speed, json, database, url)
            _import(run)
            _train(run)
            _enable(run)
            with _processes(run, port) as address:
                summary = _report(run, address)
                if json:
                    render.print_json(summary)
                if not exit_at_end:
                    _stay(address)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _database(folder: Path) -> Iterator[tuple[Database, str]]:
    from sep_trader.store.embedded import start_embedded, stop_embedded
    from sep_trader.store.migrations import migrate

    url = start_embedded(folder)
    try:
        with Database(url) as database:
            migrate(database)
            yield database, url
    finally:
        stop_embedded(folder)


def _import(run: Demo) -> None:
    """Step 1: the candles before the trading day into the store."""
    from sep_trader.history.job import import_path

    run.say("1. Import candles")
    run.pairs, run.day = run.market.pairs(), trading_day(run.market)
    rows = []
    with render.progress_bar() as bar:
        for pair in run.pairs:
            stored = refused = 0
            for file in bar.track(run.market.files(pair, before=run.day), description=f"Importing {pair}"):
                report = import_path(run.database, file, "lean", pair, Granularity.M1)
                stored, refused = stored + report.result.inserted, refused + report.refused
            run.candles += stored
            rows.append((pair, stored, refused))
    if not run.quiet:
        render.print_table(f"M1 candles before {from_epoch(run.day):%Y-%m-%d}", ["Pair", "Stored>", "Refused>"], rows)
        render.console.print(f"{run.market.note}. The day itself is left to the exchange.")


def _train(run: Demo) -> None:
    """Step 2: train and judge every pair on the candles before the trading day."""
    from sep_trader.research.job import train
    from sep_trader.research.training import TrainingSpec

    run.say("2. Train and judge")
    with render.progress_bar() as bar:
        tasks = {pair: bar.add_task(f"Walk-forward {pair}", total=None) for pair in run.pairs}
        run.results = train(
            run.database,
            run.pairs,
            TrainingSpec(end=run.day),
            lambda pair, done, total: bar.update(tasks[pair], completed=done, total=total),
        )
    if not run.quiet:
        rows = ((r.pair, r.verdict.replace("_", " "), r.reason) for r in run.results)
        render.print_table(
            f"Verdicts on candles before {from_epoch(run.day):%Y-%m-%d}", ["Pair", "Verdict", "Why"], rows
        )


def _enable(run: Demo) -> None:
    """Step 3: turn trading on, for one pair, on the simulated account, on record."""
    run.say("3. Let one pair trade")
    best = max(run.results, key=lambda r: (r.verdict is Verdict.READY, r.e_value, r.evidence.expectancy))
    run.enabled = best.pair
    reason = "demonstration on a simulated account"
    with run.database.transaction() as connection:
        overridden = rights.enable(connection, best.pair, live=False, user=DEMO, by=DEMO, why=reason, override=True)
        if run.market.simulated:
            queries.execute(connection, "set_notice", notice=run.market.note)
        switch.turn(connection, TradingState.ACTIVE, by=DEMO, why=reason)
    if not run.quiet:
        why = (
            "its verdict is READY"
            if not overridden
            else "not READY: enabled by a recorded override, simulated account only"
        )
        render.console.print(f"{best.pair} may trade ({why}). On a real account this pair would not trade.")


@contextmanager
def _processes(run: Demo, port: int) -> Iterator[str]:
    """Step 4: exchange and API as the real commands, and a trading day beside them; yields the API's address."""
    from sep_trader.api.access import Role
    from sep_trader.cli.demo_trading import Day, Exchange
    from sep_trader.cli.log_lines import log_to
    from sep_trader.cli.token import make

    start, end = run.day + FIRST_HOUR * 3600, run.day + LAST_HOUR * 3600
    running: list[DemoProcess] = []

    def launch(name: str, *arguments: str) -> DemoProcess:
        running.append(DemoProcess(name, list(arguments), run.environment(), run.folder))
        return running[-1]

    log = (run.folder / "trader.log").open("w")
    log_to(log, "info")
    try:
        run.say(f"4. Trade {run.enabled} on {from_epoch(start):%Y-%m-%d} from {from_epoch(start):%H:%M} UTC")
        options = ["--port", "0", "--token", TOKEN, "--account", ACCOUNT, "--data", str(run.market.folder)]
        options += ["--start", format_rfc3339(from_epoch(start)), "--clock", "stepped"]
        run.exchange_url = launch("exchange", "exchange", "serve", *options).address()
        address = launch("api", "serve", "--port", str(port)).address()
        with run.database.transaction() as connection:
            run.token = make(connection, "demo", Role.OPERATE)
        if not run.quiet:
            render.console.print(f"Watch it live: {_link(run, address)}", soft_wrap=True)
        with render.progress_bar() as bar:
            task = bar.add_task("Trading", total=(end - start) // 60)

            def tell(now: float) -> None:
                for process in running:
                    process.check()
                open_now, closed = _counts(run)
                text = f"{from_epoch(int(now)):%a %H:%M} UTC, {closed} trades closed, {open_now} open"
                bar.update(task, description=text, completed=int(min(now, end) - start) // 60)

            exchange = Exchange(run.exchange_url, ACCOUNT, TOKEN)
            Day(run.database, exchange, run.speed, tell).trade(end, lambda: _counts(run)[0])
        yield address
    except SepError:
        for process in running:
            if not run.quiet:
                render.errors.print(f"[dim]{process.name}: {process.last_words()}[/]")
        raise
    finally:
        log.close()
        for process in reversed(running):
            process.stop()


def _link(run: Demo, address: str) -> str:
    """An address that lets a browser in, once."""
    from sep_trader.api.access import login_link

    return login_link("demo", run.token, address, time.time())


def _counts(run: Demo) -> tuple[int, int]:
    with run.database.transaction() as connection:
        return len(queries.many(connection, "open_trades", Row)), len(
            queries.many(connection, "closed_trades", Row, limit=10_000)
        )


def _report(run: Demo, address: str) -> dict[str, Any]:
    """Step 6: trades, daily performance, and the proof that our books equal the exchange's."""
    with run.database.transaction() as connection:
        closed = queries.many(connection, "closed_trades", Row, limit=10_000)
        counts = queries.many(connection, "signal_counts", Row, since=from_epoch(0))
        days = queries.many(connection, "daily_performance", Row, days=30)
        totals = queries.one(connection, "ledger_totals", Row, account_id=ACCOUNT)
        of_trades = queries.value(connection, "executions_net_pl", Decimal, account_id=ACCOUNT)
    if totals is None:
        raise InputError("the trader never opened its ledger")
    at_exchange = _exchange_balance(run) - totals["opening_balance"]
    reconciled = round(of_trades, 2) == round(totals["net_pl"], 2) == round(at_exchange, 2)
    signals = sum(c["signals"] for c in counts)
    if not run.quiet:
        run.say("5. What happened")
        show_closed(list(reversed(closed)))
        rows = ((c["status"], c["reason_code"], c["signals"]) for c in counts)
        render.print_table("What became of the signals", ["Status", "Reason", "Signals>"], rows)
        columns = ["Day", "Pair", "Signals>", "Trades>", "Win rate>", "Net P&L>", "Drawdown>"]
        cells = (
            (
                d["day"],
                d["pair"],
                d["signals"],
                d["trades"],
                _percent(d["win_rate"]),
                render.signed(d["net_pl"]),
                "-" if d["max_drawdown"] is None else f"{d['max_drawdown']:,.2f}",
            )
            for d in days
        )
        render.print_table("Daily performance (USD)", columns, cells)
        mark = "[green]equal to the cent[/]" if reconciled else "[red]DIFFERENT[/]"
        render.console.print(
            f"Net P&L by our books {of_trades:+,.2f}, by the exchange's account {at_exchange:+,.2f}: {mark}"
        )
        render.console.print(f"Dashboard    {_link(run, address)}", soft_wrap=True)
        for what, path in (("Status", "/api/status"), ("Performance", "/api/performance/daily")):
            call = f"curl -H 'Authorization: Bearer {run.token}' {address}{path}"
            render.console.print(f"{what:<12} {call}", soft_wrap=True, markup=False)
    return {
        "candles": run.candles,
        "signals": signals,
        "trades": len(closed),
        "net_pnl": float(of_trades),
        "reconciled": reconciled,
        "verdicts": {r.pair: {"verdict": r.verdict, "reason": r.reason} for r in run.results},
        "enabled": run.enabled,
        "exchange_net_pnl": float(at_exchange),
        "seed": run.market.seed,
        "simulated": run.market.simulated,
        "data": None if run.market.simulated else str(run.market.folder),
        "prices": "simulated" if run.market.simulated else "recorded",
        "trading_day": from_epoch(run.day).astimezone(UTC).date(),
        "signal_outcomes": {f"{c['status']}/{c['reason_code']}": c["signals"] for c in counts},
        "api": address,
        "token": run.token,
    }


def _exchange_balance(run: Demo) -> Decimal:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.get(f"{run.exchange_url}/v3/accounts/{ACCOUNT}/summary", headers=headers, timeout=10).json()
    return Decimal(answer["account"]["balance"])


def _percent(share: Decimal | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _stay(address: str) -> None:
    """Keep the API up until Ctrl-C; where no terminal can send one, for a minute."""
    attended = sys.stdin.isatty()
    until = "until Ctrl-C" if attended else f"for {UNATTENDED_S} s (there is no terminal to press Ctrl-C on)"
    render.errors.print(f"sep: {address} stays up {until}; then the demo's database is removed")
    try:
        while True:
            time.sleep(3600 if attended else UNATTENDED_S)
            if not attended:
                return
    except KeyboardInterrupt:
        render.errors.print("sep: ended")
