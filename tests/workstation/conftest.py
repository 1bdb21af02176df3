"""An organisation whose reviewers have workstations."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workstation.carrying import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Reviewers, a stick, a server in memory."""
    made = World(tmp_path)
    yield made
    made.close()
