"""An organisation and its server for browsers."""

from collections.abc import Iterator
from pathlib import Path

import flask
import pytest

from tests import parties
from tests.browser.serving import Line, serving
from tests.server.visitor import site


@pytest.fixture(scope="module")
def org() -> parties.Organisation:
    """The organisation, with all secrets."""
    return parties.organisation()


@pytest.fixture
def app(tmp_path: Path, org: parties.Organisation) -> flask.Flask:
    """Its server."""
    names = {"en": "North Office", "ar": "مكتب الشمال", **dict.fromkeys(("es", "fr", "ru", "zh"), "North Office")}
    return site(tmp_path, org, name=names)


@pytest.fixture
def served(app: flask.Flask) -> Iterator[tuple[str, Line]]:
    """Its address, and what stands before it."""
    with serving(app) as found:
        yield found
