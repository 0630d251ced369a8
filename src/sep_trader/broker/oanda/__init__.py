"""OANDA v20 over REST and streams."""
