"""The architecture as a table: who may import whom."""

import ast
import sys
from pathlib import Path

import pytest

import whistle

ROOT = Path(whistle.__file__).parent
ALLOWED = {
    "newfile": set(),
    "protocol": {"nacl", "cryptography", "mnemonic"},
    "store": {"sqlalchemy", "alembic", "whistle.store", "whistle.migrations"},
    "server": {
        "whistle.protocol", "whistle.store", "whistle.server",
        "flask", "werkzeug", "jinja2", "markupsafe", "flask_limiter", "limits", "bleach", "markdown", "gunicorn",
        "nacl",
    },
    "workstation": {
        "whistle.protocol", "whistle.courier", "whistle.workstation", "whistle.newfile",
        "argon2", "nacl", "sqlalchemy", "flask", "werkzeug", "jinja2", "markupsafe",
    },
    "reporter": {"whistle.protocol", "whistle.reporter", "whistle.newfile", "requests", "nacl"},
    "courier": {"whistle.protocol", "whistle.courier", "requests", "urllib3", "nacl"},
    "ceremony": {
        "whistle.protocol", "whistle.workstation", "whistle.courier", "whistle.server", "whistle.store",
        "whistle.ceremony", "whistle.demo", "nacl", "requests", "werkzeug", "flask",
    },
}  # fmt: skip
ALLOWED["demo"] = ALLOWED["ceremony"]
ALLOWED["protocol"] |= {"whistle.protocol"}


def imports(path: Path) -> set[str]:
    """The absolute names of modules that a file imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def area(path: Path) -> str:
    """The part of the architecture to which a file belongs."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = sorted(path for path in ROOT.rglob("*.py") if area(path) in ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_what_its_place_allows(path: Path) -> None:
    """Each file imports the standard library and what the architecture gives its place."""
    allowed = ALLOWED[area(path)]
    foreign = {
        name
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and name not in {"whistle.__version__"}
        and not any(name == known or name.startswith(known + ".") for known in allowed)
    }
    assert not foreign


def test_only_the_command_line_imports_the_command_line() -> None:
    """Nobody imports whistle.cli or whistle.ceremony but the command line and the ceremony itself."""
    for path in ROOT.rglob("*.py"):
        names = imports(path)
        if area(path) != "cli":
            assert not any(name.startswith("whistle.cli") for name in names), path
        if area(path) not in {"cli", "ceremony", "demo"}:
            assert not any(name.startswith("whistle.ceremony") for name in names), path


def test_cryptography_serves_only_hpke() -> None:
    """The library `cryptography` is imported by one module, for HPKE and the keys that it takes."""
    users = {path.name for path in ROOT.rglob("*.py") if any(n.startswith("cryptography") for n in imports(path))}
    assert users == {"hybrid.py"}


def test_programs_that_are_started_take_no_module_from_the_folder_where_somebody_stands() -> None:
    """Python would look there first, in a stick's folder even; each command for it says -P or -I."""
    named = listed = 0
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.List | ast.Tuple) and node.elts and ast.unparse(node.elts[0]) == "sys.executable":
                listed += 1
                assert ast.unparse(node.elts[1]) in ("'-P'", "'-I'"), path
            named += isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable"
            assert not (isinstance(node, ast.Import | ast.ImportFrom) and "multiprocessing" in ast.unparse(node)), path
    assert named == listed > 0, "a command for Python that is not written as one list"
