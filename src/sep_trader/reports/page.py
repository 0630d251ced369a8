"""One HTML file of a report: nothing is loaded from a network, and what it states is inside as JSON."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from sep_trader.errors import InputError
from sep_trader.vendor import text_of

_HERE = Path(__file__).parent
_BEGIN, _END = '<script type="application/json" id="report">', "</script>"
_FEW = 12
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def page_of(report: dict[str, Any]) -> str:
    """The page. report: as `source.build` or `live.build` makes it."""
    manifest = report["manifest"]
    title = f"{manifest['pair']} {manifest.get('granularity', '')} {manifest['kind']}".replace("  ", " ")
    body = "".join(_sections(report, title))
    # Nothing inside a script element may look like a tag.
    data = json.dumps(report, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    scripts = [text_of("lightweight-charts.js"), text_of("uPlot.iife.min.js")]
    own = (_HERE / "page.js").read_text(encoding="utf-8")
    style = text_of("uPlot.min.css") + (_HERE / "page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body><main>{body}</main>"
        f"{_BEGIN}{data}{_END}" + "".join(f"<script>{one}</script>" for one in scripts) + f"<script>{own}</script>"
        "</body></html>\n"
    )


def report_in(path: Path) -> dict[str, Any]:
    """What a page states. Raises InputError for a file that is none."""
    try:
        text = path.read_text(encoding="utf-8")
        begin = text.index(_BEGIN) + len(_BEGIN)
        found: dict[str, Any] = json.loads(text[begin : text.index(_END, begin)])
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "a file that `sep report` wrote") from None
    except ValueError:
        raise InputError(f"{path} is no report, or was cut", "a file that `sep report` wrote") from None
    return found


def _sections(report: dict[str, Any], title: str) -> Iterable[str]:
    manifest, verdict, figures = report["manifest"], report["verdict"], report["statistics"]
    name = verdict["verdict"] if verdict else manifest["kind"].upper()
    span = f"{manifest['candles_from'][:10]} to {manifest['candles_until'][:10]}"
    yield f'<h1>{escape(title)} <span class="badge {name}">{escape(name.replace("_", " "))}</span></h1>'
    about = f"{span}, {manifest['candles']:,} candles; run {manifest['run']}"
    yield f'<p class="sub">{escape(verdict["reason"] if verdict else about)}</p>'
    if verdict:
        rows = [(c["condition"], _passed(c["passed"]), c["figure"], c["limit"]) for c in verdict["table"]]
        yield _card("Verdict", _table(["Condition", "Holds", "Figure", "Limit"], rows, text=2))
    yield f'<div class="tiles">{"".join(_tiles(figures))}</div>'
    if report["candles"]["count"]:
        yield _card("Price, entries and exits", _price(report))
    yield _card("Equity in net pips" + (", out of sample and in" if report["in_sample"] else ""),
                '<div id="equity" class="plot"></div><div id="drawdown" class="plot"></div>')  # fmt: skip
    if report.get("money"):
        yield _card(f"Account's money, {report['money']['net']:+,.2f}", '<div id="money" class="plot"></div>')
    if report.get("statements"):
        yield _card("Live against backtest, by day", _statements(report["statements"]))
    if report.get("parts"):
        yield _card("Each part", '<div id="parts" class="plot"></div>' + _parts(report["parts"]))
        yield _card("Correlation of daily results", _correlation(report["correlation"]))
    if report.get("exposure"):
        yield _card("Open trades by currency, held less owed", '<div id="exposure" class="plot"></div>')
    if report["account"]:
        words = "<p class=dim>The account that bets against no edge, before its weight in the pair's (log scale).</p>"
        yield _card("Evidence", words + '<div id="account" class="plot"></div>')
    yield _card("Month by month, net pips", _months(report["monthly"]))
    groups = (("By hour of the entry, UTC", "by_hour"), ("By weekday of the entry", "by_weekday"),
              ("By reason of the exit", "by_reason"), ("By side", "by_side"))  # fmt: skip
    yield '<div class="grid">' + "".join(_card(head, _bars(report[key])) for head, key in groups) + "</div>"
    if report["sensitivity"]:
        yield _card("Other spreads", _sensitivity(report["sensitivity"]))
    if report["folds"]:
        yield _card("What was chosen, fold by fold", _folds(report["folds"]))
    if report["states"]:
        yield _card("QFH states over time", '<div id="states" class="plot"></div>')
    if report["sensitivity"]:
        yield _card("Calibration", _learned(report["learned"]))
    listed, every = len(report["trades"]["side"]), report["trades"]["all"]
    yield _card(f"Trades, {listed:,} of {every:,}, newest first", _trades(report["trades"]))
    yield _footer(manifest)


def _card(head: str, inside: str) -> str:
    return f'<section class="card"><h2>{escape(head)}</h2>{inside}</section>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, text: int | None = None, right: int = 99) -> str:
    """A table; columns from `right` on are numbers, column `text` may wrap."""
    kinds = ["n" if at >= right else "text" if at == text else "" for at in range(len(heads))]
    head = "".join(f'<th class="{kind}">{escape(one)}</th>' for one, kind in zip(heads, kinds, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{kind}">{_cell(one)}</td>' for one, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    return value if isinstance(value, _Html) else escape("-" if value is None else str(value))


class _Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def _passed(passed: bool | None) -> _Html:
    if passed is None:
        return _Html("")
    return _Html('<span class="up">yes</span>' if passed else '<b class="down">NO</b>')


def _tiles(figures: dict[str, Any]) -> Iterable[str]:
    shown = (
        ("trades", "Trades", "{:,}"), ("win_rate", "Won", "{:.1%}"), ("expectancy_pips", "Pips a trade", "{:+.2f}"),
        ("expectancy_r", "R a trade", "{:+.3f}"), ("net_pips", "Net pips", "{:+,.1f}"),
        ("profit_factor", "Profit factor", "{:.2f}"), ("sharpe", "Sharpe, daily", "{:.2f}"),
        ("max_drawdown_pips", "Drawdown, pips", "{:,.1f}"), ("exposure", "Time in market", "{:.1%}"),
        ("mfe_pips", "Ahead at most, mean", "{:.1f}"), ("mae_pips", "Behind at most, mean", "{:.1f}"),
    )  # fmt: skip
    for key, label, form in shown:
        value = figures[key]
        sign = (
            "" if value is None or not form.startswith("{:+") else " up" if value > 0 else " down" if value < 0 else ""
        )
        text = "-" if value is None else form.format(value)
        yield f'<div class="tile"><span>{label}</span><b class="{sign}">{text}</b></div>'


def _price(report: dict[str, Any]) -> str:
    joined = report["candles"].get("joined", 1)
    words = f"{joined} candles are drawn as one. " if joined > 1 else ""
    return (
        f'<div class="tools"><button id="all" type="button">Whole time</button><span class="dim">{words}Choose a trade '
        'below to see its stop and target; drag and scroll to zoom.</span></div><div id="candles" class="chart"></div>'
    )


def _months(rows: list[dict[str, Any]]) -> str:
    most = max([1.0, *(abs(one) for row in rows for one in row["months"] if one is not None)])

    def cell(value: float | None) -> str:
        if value is None:
            return "<td></td>"
        share = min(32, round(abs(value) / most * 32))
        back = f"color-mix(in srgb, var(--{'good' if value >= 0 else 'bad'}) {share}%, transparent)"
        return f'<td style="background:{back}">{value:+.0f}</td>'

    body = "".join(
        f"<tr><th>{row['year']}</th>{''.join(map(cell, row['months']))}<td><b>{row['sum']:+.0f}</b></td></tr>"
        for row in rows
    )
    head = "".join(f'<th class="n">{month}</th>' for month in _MONTHS)
    table = f'<table class="heat"><tr><th></th>{head}<th class="n">Year</th></tr>{body}</table>'
    return f'<div class="wide" tabindex="0">{table}</div>'


def _bars(rows: list[dict[str, Any]]) -> str:
    most = max([1e-9, *(abs(row["pips"]) for row in rows)])

    def bar(row: dict[str, Any]) -> str:
        kind = "neg" if row["pips"] < 0 else ""
        width = abs(row["pips"]) / most * 50
        label = f"{row['pips']:+.1f} <span class=dim>({row['trades']})</span>"
        drawn = f'<i class="{kind}" style="width:{width:.1f}%"></i>'
        return f'<div class="bar"><b>{escape(row["name"])}</b>{drawn}<span>{label}</span></div>'

    return "".join(bar(row) for row in rows if row["trades"]) or '<p class="dim">no trade</p>'


def _sensitivity(rows: list[dict[str, Any]]) -> str:
    shown = []
    for row in rows:
        mean = "-" if row["expectancy_pips"] is None else f"{row['expectancy_pips']:+.2f}"
        shown.append((f"{row['multiple']:g} x", f"{row['trades']:,}", mean, f"{row['pips']:+,.1f}"))
    return _table(["Spread", "Trades", "Pips a trade", "Net pips"], shown, right=1)


def _statements(rows: list[dict[str, Any]]) -> str:
    shown = [
        (one["day"], one["pair"], f"{one['identical']} of {one['decisions']}", f"{one['live']:+,.2f}",
         f"{one['backtest']:+,.2f}", f"{one['residual']:.4f}") for one in rows
    ]  # fmt: skip
    return _table(["Day", "Pair", "Same decisions", "Live", "Backtest", "Unexplained"], shown, right=2)


def _parts(rows: list[dict[str, Any]]) -> str:
    return _table(
        ["Part", "Trades", "Net pips"],
        [(one["name"], one["trades"], f"{one['net_pips']:+,.1f}") for one in rows],
        right=1,
    )


def _correlation(given: dict[str, Any]) -> str:
    rows = [
        (name, *("-" if one is None else f"{one:+.2f}" for one in row))
        for name, row in zip(given["names"], given["rows"], strict=True)
    ]
    return _table(["", *given["names"]], rows, right=1)


def _learned(found: dict[str, Any] | None) -> str:
    if found is None or not found["calibration"]:
        return "<p class=dim>This strategy states no probability: there is nothing to calibrate.</p>"
    bins = [
        (f"{one['from']:.1f} and more", f"{one['told']:.3f}", f"{one['won']:.3f}", f"{one['entries']:,}")
        for one in found["calibration"]
    ]
    told = f"<p>Out of sample: Brier score {found['brier']:.4f}, {found['brier_base']:.4f} by the base rate alone.</p>"
    best = [(one["feature"], f"{one['brier_more']:+.6f}") for one in found["importance"][:10]]
    return (
        told + _table(["Probability", "Told", "Won", "Entries"], bins, right=1)
        + "<p>The features that matter most (Brier score more, where one is shuffled):</p>"
        + _table(["Feature", "More"], best, right=1)
    )  # fmt: skip


def _folds(rows: list[dict[str, Any]]) -> str:
    shown = []
    for row in rows:
        chosen = "nothing paid its costs" if row["chosen"] is None else _chosen(row["chosen"])
        shown.append((row["from"], row["trades"], f"{row['pips']:+.1f}", chosen))
    table = _table(["From", "Trades", "Net pips", "Chosen"], shown, text=3)
    if len(rows) <= _FEW:
        return table
    return f"<details><summary>{len(rows)} folds</summary>{table}</details>"


def _chosen(given: dict[str, Any]) -> str:
    values = dict(given.get("values", {})) or {
        n: given[n] for n in ("window", "theta_run", "mode", "confirm") if given.get(n)
    }
    told = ", ".join(f"{name} {value}" for name, value in values.items())
    return f"{told}; stop {given['stop_ranges']}, target {given['target_ranges']}, horizon {given['horizon']}"


def _trades(given: dict[str, Any]) -> str:
    heads = ["Entry (UTC)", "Exit", "Side", "Price", "Exit", "By", "Pips", "R", "Ahead", "Behind"]
    more = [name.capitalize() for name in ("pair", "model", "money") if name in given]
    head = "".join(f'<th class="{"n" if at in (3, 4) or at > 5 else ""}">{one}</th>' for at, one in enumerate(heads))
    head += "".join(f"<th>{one}</th>" for one in more)
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody id="trades"></tbody></table></div>'
        '<p><button id="more" type="button">100 more</button></p>'
    )


def _footer(manifest: dict[str, Any]) -> str:
    shown = {k: v for k, v in manifest.items() if k != "settings"}
    told = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in shown.items() if value is not None)
    settings = escape(json.dumps(manifest["settings"], indent=1))
    opened = f"<details><summary>Settings</summary><pre class=wide tabindex=0>{settings}</pre></details>"
    return (
        f"<footer><p>{escape(told)}</p>{opened}"
        "<p>Outcomes are those of a simulation by stated rules; they promise nothing. "
        "<code>sep verify FILE</code> computes every figure again.</p></footer>"
    )
