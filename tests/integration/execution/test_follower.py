"""Signals generated live, candle by candle, are those of the whole series at once: what is tested is what trades."""

from datetime import timedelta
from typing import Any

from sep_trader.broker.port import Broker
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.artifact import Model
from sep_trader.research.parameters import RuleParameters
from sep_trader.signals.generate import generate
from sep_trader.signals.job import Follower, generate_newest
from sep_trader.signals.signal import Signal
from sep_trader.store import candles as candle_store

MODEL = Model("EUR_USD", Granularity.M1, RuleParameters(window=16, theta_run=0.3), "1" * 64)
EUR_USD = standard_instrument("EUR_USD")


def store_model(world: Any) -> None:
    world.execute(
        "INSERT INTO models SELECT %s, pair, granularity, run_id, artifact FROM models WHERE pair = 'EUR_USD'", MODEL.id
    )


def test_live_signals_equal_the_batchs(world: Any) -> None:
    store_model(world)
    broker: Broker = world.client()
    follower = Follower(world.database, broker, lambda _: [MODEL])
    assert follower.step().signals == (), "nothing is generated for the past"
    live: list[Signal] = []
    for seconds in [60] * 90 + [300] * 6 + [7]:
        world.step(seconds)
        live += follower.step().signals
    assert len(live) > 10
    with world.database.transaction() as connection:
        whole = candle_store.read(connection, "EUR_USD", Granularity.M1)
    start = int(parse_rfc3339("2014-05-15T08:00:00Z").timestamp())
    assert live == generate(whole, MODEL, EUR_USD, after=start - 60 - 1)
    assert len(world.rows("SELECT 1 FROM trading_signals")) == len(live)


def test_generating_again_adds_nothing(world: Any) -> None:
    store_model(world)
    Follower(world.database, world.client(), lambda _: [MODEL]).step()
    first = generate_newest(world.database, [MODEL], candles=200)
    again = generate_newest(world.database, [MODEL], candles=200)
    assert len(first.signals) > 5
    assert again.signals == ()
    assert len(world.rows("SELECT 1 FROM trading_signals")) == len(first.signals)


def test_a_follower_that_was_away_takes_up_the_market_where_it_is(world: Any) -> None:
    store_model(world)
    follower = Follower(world.database, world.client(), lambda _: [MODEL])
    follower.step()
    world.step(3600)
    missed = follower.step()
    assert missed.candles == {"EUR_USD": 60}
    # They are all written down; the trader will end the old ones as EXPIRED, by the broker's clock.
    assert all(s.expires_at - s.candle_time == timedelta(minutes=3) for s in missed.signals)
    assert len(world.rows("SELECT 1 FROM v_candles WHERE time >= '2014-05-15T08:00:00Z'")) == 60
