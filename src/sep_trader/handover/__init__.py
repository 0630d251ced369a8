"""The hand-over between two machines: a signed bundle of signals, models and parameters, imported once."""
