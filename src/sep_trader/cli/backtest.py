"""`sep backtest`: the trades of one strategy on the store's candles, and their figures."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sep_trader.cli import render
from sep_trader.cli.options import Json, PairName
from sep_trader.cli.training_options import (
    Financing,
    Slippage,
    SpreadByHour,
    SpreadMeasured,
    SpreadPips,
    StrategyName,
    Timeframe,
    plain_value,
    spec_of,
    split_set,
)
from sep_trader.cli.wiring import open_database
from sep_trader.errors import InputError
from sep_trader.market.clock import from_epoch
from sep_trader.market.instrument import parse_pair
from sep_trader.settings import load_settings

if TYPE_CHECKING:
    from sep_trader.research.backtest import TradeTable

COLUMNS = ("entry_time", "exit_time", "side", "entry_price", "exit_price", "exit_reason", "net_pips")
_SHOWN = 20

app = typer.Typer()


@app.command()
def backtest(
    pair: PairName,
    granularity: Timeframe = "M1",
    strategy: StrategyName = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter, as NAME=V; stop_ranges, target_ranges and horizon too. Repeatable."),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Candles from this time on, a date or RFC 3339.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Candles before this time.")] = None,
    spread_pips: SpreadPips = None,
    spread_by_hour: SpreadByHour = None,
    spread_measured: SpreadMeasured = False,
    slippage_pips: Slippage = None,
    financing: Financing = None,
    trades: Annotated[Path | None, typer.Option("--trades", help="Write every trade to this CSV file.")] = None,
    json: Json = False,
) -> None:
    """Show what a strategy would have done. It is written into the ledger as a look, and never books."""
    from sep_trader.research.backtest import statistics_json
    from sep_trader.research.exploring import explore, set_of

    name = parse_pair(pair)
    parameters = set_of(strategy, _values(sets))
    stated = (spread_pips, spread_by_hour, spread_measured, slippage_pips, financing)
    spec = spec_of(granularity, start, end, "auto", None, *stated, None)
    with open_database(load_settings()) as database:
        found = explore(database, name, parameters, spec)
    table, figures = found.backtest.trades, statistics_json(found.backtest.statistics)
    if trades is not None:
        _write(trades, table)
    if json:
        render.print_json({"pair": name, "run": found.run_id, "spread": str(found.spreads), **figures})
        return
    rows = ((key.replace("_", " "), _shown(value)) for key, value in figures.items())
    render.print_table(f"{name} {granularity}, {found.spreads}", ["Figure", "Value>"], rows)
    newest = range(max(0, len(table) - _SHOWN), len(table))
    render.print_table(
        f"Trades, the newest {len(newest)} of {len(table)}",
        ["Entry (UTC)", "Side", "Price>", "Exit>", "By", "Pips>"],
        (
            (
                f"{from_epoch(int(table.entry_time[at])):%Y-%m-%d %H:%M}",
                "BUY" if table.side[at] > 0 else "SELL",
                f"{table.entry_price[at]:.5f}",
                f"{table.exit_price[at]:.5f}",
                table.exit_reason[at],
                f"{table.net_pips[at]:+.1f}",
            )
            for at in newest
        ),
        empty="no trade",
    )
    render.console.print(f"A look of the ledger: {found.run_id}. Picture: sep report {name} --out {name}.html")


def _values(sets: list[str] | None) -> dict[str, int | float | str]:
    found: dict[str, int | float | str] = {}
    for text in sets or []:
        name, parts = split_set(text)
        if len(parts) > 1:
            raise InputError(f"{len(parts)} values of {name} in one backtest", "one; `sep train` tries several")
        found[name] = plain_value(parts[0])
    return found


def _write(path: Path, table: "TradeTable") -> None:
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for at in range(len(table)):
                times = (
                    f"{from_epoch(int(one[at])):%Y-%m-%dT%H:%M:%SZ}" for one in (table.entry_time, table.exit_time)
                )
                prices = (repr(round(float(one[at]), 9)) for one in (table.entry_price, table.exit_price))
                writer.writerow(
                    (
                        *times,
                        int(table.side[at]),
                        *prices,
                        table.exit_reason[at],
                        repr(round(float(table.net_pips[at]), 9)),
                    )
                )
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", "another --trades") from None


def _shown(value: object) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else "-" if value is None else str(value)
