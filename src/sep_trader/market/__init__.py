"""Values of the market: instrument, granularity, candles. Pure."""
