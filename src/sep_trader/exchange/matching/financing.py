"""Daily financing at 17:00 New York: each open trade pays or earns by its instrument's rate and days.

Model: units * mid * annual rate * days charged / 365, in home currency, booked on the balance at once.
"""

from decimal import Decimal
from typing import Any

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.market.figures import ZERO, money_text, number_text, round_money
from sep_trader.exchange.market.sessions import weekday_of

MODE = "DAILY_INSTRUMENT"


def finance(floor: Floor, account: Account) -> None:
    """Book the financing of the day that ends now; a day without a charge leaves no transaction."""
    weekday = weekday_of(floor.now)
    total = ZERO
    positions: list[dict[str, Any]] = []
    for name, trades in account.by_instrument.items():
        instrument = floor.instruments[name]
        days = instrument.financing_days[weekday]
        if not trades or not days:
            continue
        entries, subtotal = [], ZERO
        for trade in trades.values():
            rate = instrument.financing_long_rate if trade.long else instrument.financing_short_rate
            base = abs(trade.units) * rate * days / Decimal(365)
            amount = round_money(base * floor.conversions.rate(instrument.base, account.currency).mid)
            trade.financing += amount
            account.position(name).side(trade.long).financing += amount
            account.touched.append(trade)
            subtotal += amount
            entries.append(
                {
                    "tradeID": str(trade.id),
                    "financing": money_text(amount),
                    "baseFinancing": number_text(base),
                    "financingRate": number_text(rate),
                }
            )
        total += subtotal
        positions.append({"instrument": name, "financing": money_text(subtotal), "openTradeFinancings": entries})
    if not positions:
        return
    account.balance += total
    account.financing += total
    batch = Batch(account, floor.now)
    batch.add(
        "DAILY_FINANCING",
        {
            "financing": money_text(total),
            "accountBalance": money_text(account.balance),
            "accountFinancingMode": MODE,
            "positionFinancings": positions,
        },
    )
    floor.commit(batch)
