"""The workstation's texts: all of them are in the catalogue, and named by their keys."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import whistle.workstation
from whistle.courier.errors import DISK
from whistle.translations import catalogues
from whistle.workstation.app import courier_errors

ROOT = Path(whistle.workstation.__file__).parent
TEMPLATES = sorted((ROOT / "app" / "templates").glob("*.html"))
MODULES = [path for path in sorted(ROOT.rglob("*.py")) if "migrations" not in path.parts]
VIEWER = sorted((ROOT.parents[1] / "client" / "src").rglob("*.js"))
COMMANDS = ("case.py",)  # those that say what pages say
SPOKEN = ("aria-label", "alt", "placeholder", "title", "label")  # attributes
WORDS = re.compile("[A-Za-z]{2,},? [a-z]{2,}")
SQL = {"database.py", "index.py", "models.py", "rows.py", "search.py", "check.py"}
NOT_SHOWN = {"Malformed", "Forged", "Damaged", "LeftOut", "Waiting", "ValueError", "OSError"}  # nobody is told these
OTHERWISE = {  # English for another reason, by its beginning
    "<!doctype html>",  # the frame, whose page its program fills
    "sandbox allow-scripts",  # a policy
    "<time datetime",
    "working days",  # a unit, as it is kept
    "by one left out",  # kinds of remarks
    "left out",
    "written outside a transaction",  # a mistake of this program
    "whistle vault",  # what a file says that it is, or says to other programs
    "# A reviewer's keys",
    "This is the backup",
    "en, ar",  # codes
}


def literals(tree: ast.AST) -> Iterator[str]:
    """The strings of a module, but for docstrings and for errors that nobody is shown."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NOT_SHOWN:
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        yield from literals(node)


def test_no_module_holds_english() -> None:
    """What code says to people is named by its key too."""
    for path in MODULES:
        if path.name not in SQL:
            said = [each for each in literals(ast.parse(path.read_text("utf-8"))) if WORDS.search(each)]
            assert [each for each in said if not each.startswith(tuple(OTHERWISE))] == [], path.name


def test_no_template_holds_english() -> None:
    """Between tags, in attributes that people hear, and in expressions: all of it is named by its key."""
    for path in TEMPLATES:
        source = re.sub(r"\{#.*?#\}|\{% block size %\}\w+", "", path.read_text("utf-8"), flags=re.DOTALL)
        strings = re.findall(r"'([^']*)'", " ".join(re.findall(r"\{[{%].*?[%}]\}", source, re.DOTALL)))
        assert [each for each in strings if WORDS.search(each) and each[0] != "<"] == [], path.name
        bare = re.sub(r"\{[{%].*?[%}]\}", "", source, flags=re.DOTALL)
        spoken = re.findall(rf'\b(?:{"|".join(SPOKEN)})="([^"]*)"', bare)
        seen = re.sub(r"(?s)<code.*?</code>|<[^>]*>", " ", bare)
        assert re.findall("[A-Za-z]{2,}", " ".join([seen, *spoken])) == [], path.name


def test_every_key_is_there_and_used() -> None:
    """Templates, code and the viewer name the keys of the catalogue, and the catalogue holds no other."""
    commands = [
        each for each in (ROOT.parent / "cli").glob("*.py") if "workstation.language" in each.read_text("utf-8")
    ]
    sources = [each.read_text("utf-8") for each in (*TEMPLATES, *MODULES, *VIEWER, *commands)]
    named = {key for source in sources for key in re.findall(r"""["']([a-z_]+\.[a-z0-9_]+)["']""", source)}
    known = set(catalogues.english(catalogues.WORKSTATION))
    begun = {key for source in sources for key in re.findall(r"""["']([a-z_]+\.[a-z0-9_]+_)["'{]""", source)}
    assert {key for key in known - named if not key.startswith(tuple(begun))} == set()
    asked = {key for source in sources for key in re.findall(r"""\bt(?:\.text)?\(\s*["']([^"']+)["']""", source)}
    assert asked - known - begun == set() and asked


COURIER = ("connection", "errors", "exchange", "folder", "lock", "manifests", "mirror", "stick")  # what a page does
ERRORS = ("BadServer", "BadStick", "Busy", "CourierError", "Refused", "ServerAway")
NOT_BY_PAGE = {"there is a courier in this folder already", "name another folder with --folder"}


def is_known(line: str) -> bool:
    """Whether the catalogue has a line of the courier's."""
    return any(form.fullmatch(line) for form in courier_errors.known().values())


def test_what_goes_wrong_at_the_courier_is_known_by_its_words() -> None:
    """Each line of an error that an exchange with the server can bring is in the catalogue, as it is said there."""
    for module in COURIER:
        tree = ast.parse((ROOT.parent / "courier" / f"{module}.py").read_text("utf-8"))
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        errors = [call for call in names if call.func.id in ERRORS]  # type: ignore[attr-defined]
        said = {str(each.value) for call in errors for each in call.args if isinstance(each, ast.Constant)}
        assert {line for line in said if not is_known(line)} <= NOT_BY_PAGE, module
    lines = [line for pair in DISK.values() for line in pair]
    assert all(map(is_known, lines))
    lines += ["the server answered with an error (503)", "the stick: there is no room left", "of some other kind"]
    assert [courier_errors.told(line) for line in lines] == lines
