"""The broker's day and week: losses are counted from 17:00 New York. Pure."""

from datetime import date, datetime, timedelta

from sep_trader.market.clock import NEW_YORK

_UNTIL_MIDNIGHT = timedelta(hours=7)


def broker_day(moment: datetime) -> date:
    """The broker's day of an aware time: from 17:00 New York on, it is that of the next date.

    The database has the same function of the same name, for its daily figures.
    """
    return (moment.astimezone(NEW_YORK).replace(tzinfo=None) + _UNTIL_MIDNIGHT).date()


def broker_week(moment: datetime) -> date:
    """The Monday of the broker's week of an aware time: it begins on Sunday at 17:00 New York."""
    day = broker_day(moment)
    return day - timedelta(days=day.weekday())
