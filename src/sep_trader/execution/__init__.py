"""From a signal to a reconciled fill: decisions (pure) and the trading daemon."""
