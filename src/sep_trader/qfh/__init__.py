"""QFH: bits, transition states and window metrics of a price series. Pure."""
