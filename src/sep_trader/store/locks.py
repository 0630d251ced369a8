"""Every advisory lock of the database, in one place, so that no two purposes share a key."""

from enum import IntEnum


class Lock(IntEnum):
    """Keys of 64 bits. A key never changes: an older program on the same database must find the same lock."""

    MIGRATIONS = 7_305_842_218_114_301
    """One program migrates at a time (session)."""
    TRADER = 7_305_842_218_114_302
    """One trader runs on a database (session)."""
    HYPERTABLES = 7_305_842_218_114_303
    """One program makes hypertables at a time (transaction)."""
    ROLLUPS = 7_305_842_218_114_304
    """One refresh of the rollups runs at a time (session)."""
    BUNDLES = 7_305_842_218_114_320
    """One bundle is imported at a time (transaction)."""
    RESEARCH_LEDGER = 7_305_842_218_114_321
    """One row is added to the ledger of research at a time (transaction)."""


SERIES_CLASS = 730_584
"""First half of the two-part keys that keep two loaders of one candle series apart; the second half is the series."""
