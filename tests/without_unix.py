"""A plugin for pytest: the workstation's programs find none of the modules and folders that only Unix or Linux has.

    pytest -p tests.without_unix tests/workstation

The server, which needs them, is imported before, so tests in which both meet still run.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import psutil  # noqa: F401 (its part for Linux needs what is hidden below; on other systems it has other parts)
import pytest

from whistle.cli.main import UNIX

SERVER = ("whistle.server", "whistle.server.running.gunicorn")
PORTABLE = ("workstation", "courier", "reporter", "cli", "durable", "hardening", "local_page", "sticks")


class Hidden:
    """Finds no module that Windows has not."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """ModuleNotFoundError for one of `UNIX`; None for others, which other finders know."""
        if name in UNIX:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def hide() -> None:
    """Take the modules away from everything that is imported from now on."""
    for name in UNIX:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Hidden())


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Import the server, hide the modules, and take away what the portable programs ask the system for."""
    for name in SERVER:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.split(".")[:2] in [["whistle", part] for part in PORTABLE]]:
        del sys.modules[name]
    hide()
    vars(importlib.import_module("whistle.durable"))["NAMELESS"] = None
    vars(importlib.import_module("whistle.local_page.peer_owner"))["TABLES"] = (Path("/nowhere"),)
