"""A client of the API that may do everything."""

from collections.abc import Iterator

import httpx
import pytest
from tests.support.serving import client_of, parts_for, token_of

from sep_trader.store.database import Database


@pytest.fixture
def client(database: Database) -> Iterator[httpx.Client]:
    """A client of the API, which serves over real HTTP."""
    with client_of(parts_for(database), token_of(database)) as client:
        yield client
