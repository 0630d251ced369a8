"""Parquet files with the columns that `csv` knows: times as times, as numbers, or as texts."""

import io

import numpy as np

from sep_trader.errors import InputError
from sep_trader.history.formats import TEXT_FORMATS
from sep_trader.history.source import Parsed, ReadOptions, Source, read_bytes
from sep_trader.history.table import Table, polars_module
from sep_trader.history.text_reader import parse


def read(source: Source, options: ReadOptions) -> Parsed:
    """Read one file. What other formats call a line is the row, from 1. Raises InputError for another kind of file."""
    return parse(source, table_of(source), TEXT_FORMATS["csv"], options)


def table_of(source: Source) -> Table:
    """The columns of the file."""
    polars_module()
    import polars as pl

    try:
        frame = pl.read_parquet(io.BytesIO(read_bytes(source.path)))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{source.path} is not Parquet: {str(error).splitlines()[0]}", "is it cut off?") from None
    columns = [column for column in frame.get_columns() if not column.dtype.is_nested()]
    lines = np.arange(1, frame.height + 1, dtype=np.int64)
    return Table([column.name for column in columns], columns, lines, "", "")
