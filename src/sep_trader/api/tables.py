"""A table as JSON, or as CSV where that is asked for: the same rows, the same names."""

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel
from starlette.responses import Response

from sep_trader.api.models import rows

CSV_TOO: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
}
"""For the description of routes that send tables."""


class Format(StrEnum):
    """How a table is sent."""

    JSON = "json"
    CSV = "csv"


AsFormat = Annotated[Format, Query(alias="format", description="json, or csv for a spreadsheet.")]


def sent(model: type[BaseModel], found: Sequence[Any], form: Format) -> Any:
    """Rows as they were asked for."""
    read: list[BaseModel] = rows(model, found)
    if form is Format.JSON:
        return read
    names = list(model.model_fields)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(getattr(one, name)) for name in names] for one in read)
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8")


def _cell(value: Any) -> Any:
    """What a spreadsheet takes for text, not for a formula."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = "" if value is None else str(value)
    return f"'{text}" if text and text[0] in "=+-@\t" and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
