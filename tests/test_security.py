"""SECURITY.md names the tests that bear out its promises; every one of them must be there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED] if NAMED else None)
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    """A line of the table is shown by a test of that name in that file."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_line_is_shown() -> None:
    """Each numbered line of the table of who learns what has a line of tests."""
    lines = re.findall(r"^\| (\d+) \|", PAGE, re.M)
    count = len(lines) // 2
    assert count >= 12 and lines == [str(number) for number in range(1, count + 1)] * 2
