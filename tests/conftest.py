"""How the suite is spread over this machine, and what its tests share."""

import os
import shutil
from pathlib import Path

import flask
import hypothesis
import psutil
import pytest
from flask.templating import Environment
from jinja2.bccache import Bucket, BytecodeCache

WORKER = 2 * 1024**3  # bytes of memory that one may take, its browsers included
IN_MEMORY = 8 * 1024**3  # bytes free; the files of gigabytes in some tests take two of them


class Compiled(BytecodeCache):
    """Templates that were compiled in this process: compiling them anew for each server took a third of its tests."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the compiled template, if it is known."""
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Remember it."""
        self._compiled[bucket.key] = bucket.bytecode_to_string()


def _share_compiled_templates() -> None:
    create, compiled = flask.Flask.create_jinja_environment, Compiled()

    def sharing(app: flask.Flask) -> Environment:
        environment = create(app)
        environment.bytecode_cache = compiled
        return environment

    flask.Flask.create_jinja_environment = sharing  # type: ignore[method-assign]


_share_compiled_templates()
hypothesis.settings.register_profile("untimed", deadline=None)  # many tests run at once
hypothesis.settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Workers for `-n auto`: three for each core up to twelve, since more than half of a browser's test is waiting.

    Each has two browsers; where memory is too short for them, two workers for each core up to eight.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    is_roomy = psutil.virtual_memory().available > 3 * cores * WORKER
    return max(cores, min(3 * cores, 12) if is_roomy else min(2 * cores, 8))


def _keep_temporary_files_in_memory() -> None:
    """Let `tmp_path` be in memory where there is room: the suite makes thousands of small files."""
    shared = Path("/dev/shm")
    if shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free >= IN_MEMORY:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(shared))


_keep_temporary_files_in_memory()
