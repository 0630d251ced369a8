"""A simulated OANDA v20 exchange over real HTTP."""
