"""From the newest complete candle to a row in trading_signals."""
