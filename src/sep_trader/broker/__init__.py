"""The broker: the port the system talks to, the OANDA v20 adapter, and a simulated OANDA exchange."""
