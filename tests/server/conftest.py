"""A server with the manifest of three reviewers, two channels and a courier."""

from collections.abc import Iterator
from pathlib import Path

import flask
import pytest
from flask.testing import FlaskClient

from tests import parties
from tests.server.visitor import Clock, site
from whistle.server.instance import NAME, Instance


@pytest.fixture(scope="session")
def org() -> parties.Organisation:
    """The organisation, with all secrets."""
    return parties.organisation()


@pytest.fixture
def clock() -> Clock:
    """The server's clock."""
    return Clock()


@pytest.fixture
def app(tmp_path: Path, org: parties.Organisation, clock: Clock) -> Iterator[flask.Flask]:
    """The organisation's server."""
    found = site(tmp_path, org, clock)
    yield found
    found.extensions[NAME].store.close()


@pytest.fixture
def instance(app: flask.Flask) -> Instance:
    """What the server's requests share."""
    found = app.extensions[NAME]
    assert isinstance(found, Instance)
    return found


@pytest.fixture
def client(app: flask.Flask) -> FlaskClient:
    """A program or a browser that asks the server."""
    return app.test_client()
