"""The candle backtest's trades of a span, each with what its money is explained by. Pure."""

from decimal import Decimal

import numpy as np

from sep_trader.market.candles import Candles
from sep_trader.market.clock import from_epoch
from sep_trader.market.instrument import Instrument
from sep_trader.research.artifact import Model
from sep_trader.research.costs import CostModel
from sep_trader.research.pricing import priced
from sep_trader.research.simulate import ExitReason, simulate
from sep_trader.research.strategies import propose
from sep_trader.simulation.money import TestedTrade
from sep_trader.states import ExitReason as Left

REASONS = {
    ExitReason.STOP: Left.STOP_LOSS,
    ExitReason.TARGET: Left.TAKE_PROFIT,
    ExitReason.HORIZON: Left.HORIZON,
    ExitReason.SIDE: Left.SIGNAL,
}
"""What the books call the reasons of a backtest."""


def tested_trades(
    candles: Candles,
    model: Model,
    instrument: Instrument,
    *,
    opening: Decimal,
    risk_per_trade: Decimal,
    first: int,
    after: int,
    rate: Decimal = Decimal(1),
) -> list[TestedTrade]:
    """Trades of the proposals of candles that begin within [first, after) seconds, each sized by one balance."""
    found = priced(propose(candles, model.parameters), candles.spread, instrument)
    within = (candles.time >= first) & (candles.time < after)
    side = np.where(within, found.side, 0).astype(np.int8)
    costs = CostModel(pip=float(instrument.pip))
    digits = instrument.display_precision
    trades = simulate(
        candles, side, found.stop, found.target, model.parameters.horizon, costs, digits=digits,
        side_closes=model.side_closes,
    )  # fmt: skip
    made = []
    for i in range(len(trades)):
        reason = REASONS.get(ExitReason(int(trades.reason[i])))
        if reason is None:  # the series was over
            continue
        entry, leave, way = int(trades.entry[i]), int(trades.exit[i]), int(trades.side[i])
        bought, sold = Decimal(float(trades.entry_price[i])), Decimal(float(trades.exit_price[i]))
        stop, net = Decimal(float(found.stop[entry - 1])), Decimal(float(trades.net[i]))
        made.append(
            TestedTrade(
                candle=from_epoch(int(candles.time[entry - 1])),
                side=way,
                units=instrument.quantise_units(opening * risk_per_trade / (stop * rate)),
                entry_price=bought,
                entry_mid=Decimal(float(candles.open[entry])),
                exit_price=sold,
                exit_mid=Decimal(float(candles.open[leave])) if reason is Left.HORIZON else None,
                reason=reason,
                stop=stop,
                target=Decimal(float(found.target[entry - 1])),
                slippage=Decimal(costs.slippage),
                financing=net - way * (sold - bought),
                net=net,
                rate=rate,
            )
        )
    return made
