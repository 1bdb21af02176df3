"""Browsers that run on from test to test: each test gets windows and cookies of its own."""

import json
import subprocess
from pathlib import Path
from typing import Any

SOON = 10  # seconds that a program gets to end its browser
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
    if given.get("endpoint") and given["browser"] in KEPT:
        process, _ = KEPT.pop(given["browser"])
        assert process.stdin
        process.stdin.close()  # it ends its browser, and removes the profile
        end(process)


def end(process: "subprocess.Popen[str]") -> None:
    """End a program of ours with the browser that it may have started, which a kill alone would leave behind."""
    process.terminate()
    try:
        process.wait(SOON)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
