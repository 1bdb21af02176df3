"""Browsers that run on from test to test: each test gets windows and cookies of its own."""

import json
import subprocess
from pathlib import Path
from typing import Any

KEPT: "dict[str, tuple[subprocess.Popen[str], str]]" = {}


def endpoint(given: dict[str, Any]) -> str:
    """Where a walk finds the running browser; empty if it must start its own."""
    name = given["browser"]
    if given.keys() & {"profile", "preferences", "isPrivate"}:
        return ""
    if name not in KEPT or KEPT[name][0].poll() is not None:
        command = ["node", str(Path(__file__).with_suffix(".mjs")), json.dumps(given)]
        process = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
        assert process.stdout
        KEPT[name] = process, json.loads(process.stdout.readline())
    return KEPT[name][1]


def discard(given: dict[str, Any]) -> None:
    """Start another one next time: a walk that broke off may have left a session behind."""
    if given.get("endpoint"):
        KEPT.pop(given["browser"])[0].kill()
