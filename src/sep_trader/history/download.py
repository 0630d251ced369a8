"""The download job: broker -> raw cache -> candles. What was fetched is recorded page by page, so it can stop anywhere.

Pages are spans of 5,000 candle lengths over the broker's one kept connection, whose limiter holds the request rate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from sep_trader.broker.port import Broker
from sep_trader.history.cache import RawCache
from sep_trader.market.candles import Candles, QuoteCandles
from sep_trader.market.clock import from_epoch
from sep_trader.market.gaps import Gap, Span, find_gaps, subtract
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import Instrument
from sep_trader.market.validate import refusals
from sep_trader.store import candles as store
from sep_trader.store.candles import Corrections, LoadResult, instrument_id
from sep_trader.store.database import Database
from sep_trader.store.queries import queries

PAGE = 5_000
# A span is taken as fully asked for once it ended this long ago: the newest candles may still be on their way.
_SETTLED_S = 3_600
_FOREVER = 2**62


@dataclass(frozen=True, slots=True)
class Page:
    """One page that was stored: of which series, how far it reaches, what it held and where it came from."""

    instrument: str
    through: int
    result: LoadResult
    refused: int
    cached: bool


@dataclass(slots=True)
class DownloadReport:
    """What a download found, per pair."""

    results: dict[str, LoadResult] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    requests: int = 0

    def add(self, page: Page) -> None:
        """Count a page."""
        self.results[page.instrument] = self.results.get(page.instrument, LoadResult()) + page.result
        self.refused[page.instrument] = self.refused.get(page.instrument, 0) + page.refused
        self.requests += not page.cached

    def merge(self, other: "DownloadReport") -> None:
        """Count what another report counted."""
        for name, result in other.results.items():
            self.results[name] = self.results.get(name, LoadResult()) + result
            self.refused[name] = self.refused.get(name, 0) + other.refused[name]
        self.requests += other.requests


@dataclass(frozen=True, slots=True)
class Download:
    """What a download needs: where from, where to, and how corrections are treated. cache None: no raw cache."""

    database: Database
    broker: Broker
    granularity: Granularity
    cache: RawCache | None = None
    corrections: Corrections = "report"

    def run(
        self, pairs: Sequence[str], start: int, end: int, progress: Callable[[Page], None] | None = None
    ) -> DownloadReport:
        """Fetch what was not fetched yet of start <= time < end for each pair. Raises BrokerError, StoreError."""
        report = DownloadReport()
        terms = {terms.name: terms for terms in self.broker.instruments(pairs)}
        self._keep_rates(list(terms.values()))
        now = self._broker_time(pairs)
        for pair in pairs:
            for span in subtract((start, end), spans(self.database, pair, self.granularity)):
                self._fetch(terms[pair], span, now, report, progress, use_cache=True)
        if self.cache:
            self.cache.trim()
        return report

    def repair(self, pair: str, gaps: Sequence[Gap], progress: Callable[[Page], None] | None = None) -> DownloadReport:
        """Ask the broker for the candles of gaps, cached pages aside. What it does not have stays missing."""
        report = DownloadReport()
        [terms] = self.broker.instruments([pair])
        now = self._broker_time([pair])
        for gap in gaps:
            self._fetch(terms, (gap.start, gap.end), now, report, progress, use_cache=False)
        return report

    def _keep_rates(self, terms: Sequence[Instrument]) -> None:
        """Keep the broker's financing rates: training charges what the broker does."""
        with self.database.transaction() as connection:
            for one in terms:
                store.instrument_id(connection, one.name)
                queries.execute(
                    connection,
                    "set_financing_rates",
                    name=one.name,
                    long=one.financing_long_rate,
                    short=one.financing_short_rate,
                )

    def _broker_time(self, pairs: Sequence[str]) -> int:
        """The broker's clock: this machine's may be wrong, and a replayed market lives in the past."""
        return int(self.broker.pricing(pairs).time.timestamp())

    def _fetch(
        self,
        terms: Instrument,
        span: Span,
        now: int,
        report: DownloadReport,
        progress: Callable[[Page], None] | None,
        *,
        use_cache: bool,
    ) -> None:
        cursor, end = span
        while cursor < min(end, now):
            page = self._page(terms, (span[0], cursor, end), now, use_cache=use_cache)
            report.add(page)
            if progress:
                progress(page)
            if page.through <= cursor:
                return  # the newest candles: nothing more to be had now
            cursor = page.through

    def _page(self, terms: Instrument, place: tuple[int, int, int], now: int, *, use_cache: bool) -> Page:
        start, cursor, end = place
        kept = self.cache.get(terms.name, self.granularity, cursor) if self.cache and use_cache else None
        if kept is not None:
            quotes, through = kept[0].between(cursor, end), min(kept[1], end)
        else:
            stop = min(cursor + PAGE * self.granularity.seconds, end)
            quotes = self.broker.candles(
                terms.name, self.granularity, start=from_epoch(cursor), end=from_epoch(stop)
            ).between(cursor, stop)
            through = stop
            if stop + _SETTLED_S > now:
                through = int(quotes.time[-1]) + self.granularity.seconds if len(quotes) else cursor
            elif len(quotes) == 0:
                through = self._next_candle(terms.name, stop, end)
            if self.cache and through > cursor:
                self.cache.put(quotes, cursor, through)
        candles, refused = _believable(quotes, terms.display_precision)
        result = store.load(self.database, candles, corrections=self.corrections)
        if through > start:
            record(self.database, terms.name, self.granularity, (start, through))
        return Page(terms.name, through, result, refused, kept is not None)

    def _next_candle(self, pair: str, start: int, end: int) -> int:
        """Where the next candle is, at most `end`; `start` where there is none. Empty years cost one request."""
        found = self.broker.candles(pair, self.granularity, start=from_epoch(start), count=1)
        return max(start, min(end, int(found.time[0]))) if len(found) else start


def _believable(quotes: QuoteCandles, precision: int) -> tuple[Candles, int]:
    """Mid candles without those that contradict themselves; whether they are complete is the broker's to say."""
    bad = refusals(quotes, precision, _FOREVER)
    good = np.ones(len(quotes), bool)
    good[list(bad)] = False
    return quotes.take(good).to_mid(precision), len(bad)


def spans(database: Database, pair: str, granularity: Granularity) -> list[Span]:
    """The spans of a series that the broker was asked for."""
    with database.transaction() as connection:
        return store.downloaded(connection, pair, granularity)


def record(database: Database, pair: str, granularity: Granularity, span: Span) -> None:
    """Note that the broker was asked for a span."""
    with database.transaction() as connection:
        queries.execute(
            connection,
            "record_download",
            instrument_id=instrument_id(connection, pair),
            granularity=granularity.code,
            start=from_epoch(span[0]),
            through=from_epoch(span[1]),
        )


def gaps(database: Database, pair: str, granularity: Granularity, start: int | None, end: int | None) -> list[Gap]:
    """The gaps of a series between its first and last candle, or in the span given."""
    stored = store.read(database, pair, granularity, start, end)
    if len(stored) == 0:
        return []
    begin = int(stored.time[0]) if start is None else start
    stop = int(stored.time[-1]) + granularity.seconds if end is None else end
    return find_gaps(stored.time, granularity, begin, stop, spans(database, pair, granularity))
