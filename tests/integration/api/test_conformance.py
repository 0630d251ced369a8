"""The API keeps its own description, whatever is asked of it: inputs that nobody thinks of, by schemathesis."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support.serving import parts_for, served, token_of

from sep_trader.api.parts import Limits
from sep_trader.store.database import Database

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 25


@pytest.fixture
def described(database: Database) -> Iterator[Any]:
    """The API by its description, with a token that may do everything, and no limit."""
    token = token_of(database)
    free = Limits(known_per_s=1e6, known_burst=1_000_000)
    with served(parts_for(database, limits=free)) as address:
        headers = {"authorization": f"Bearer {token}"}
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json", headers=headers)
        schema.config.update(headers=headers)
        yield schema.exclude(path="/api/events")


def test_no_input_breaks_it(described: Any) -> None:
    for found in described.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def hold(case: Any) -> None:
            case.validate_response(case.call(), checks=CHECKS)

        hold()


def test_the_description_is_openapi_3_1(described: Any) -> None:
    assert described.raw_schema["openapi"].startswith("3.1")
    assert len(list(described.get_all_operations())) >= 28
