"""The architecture, held to what ARCHITECTURE.md says: who may import whom, and where everything lives."""

import ast
import configparser
import re
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import whistle

ROOT = Path(whistle.__file__).parent
TOP = ROOT.parent
ARCHITECTURE = (TOP / "ARCHITECTURE.md").read_text("utf-8")
MOST_MODULES = 16  # in a folder
ROW = re.compile(r"\| `(whistle/[a-z_./]+)` \|([^|]*)\|([^|]*)\|")
TREE = re.compile(r"( *)([a-z_/]+)/ +([^#]+?)(?: *#.*)?")
# These stand on what is inside their folders, as ARCHITECTURE.md says.
INSIDE = {
    "whistle.workstation.trust": "whistle.workstation.vault.",
    "whistle.workstation.workstation": "whistle.workstation.vault.",
}
INSIDE |= {f"whistle.store.{path.stem}": "whistle.store.blocks" for path in (ROOT / "store").glob("*.py")}


def table() -> dict[str, set[str]]:
    """By package, as a path without its ending, what it may import: itself and what its row names."""
    allowed: dict[str, set[str]] = {}
    rows = ROW.findall(ARCHITECTURE.partition("## Who may import whom")[2].partition("\n## ")[0])
    for path, own, libraries in rows:
        package = path.removesuffix(".py").replace("/", ".")
        above = set(allowed) if "all of the above" in own else set()
        allowed[package] = {package, *above, *re.findall(r"`([A-Za-z0-9_.]+)`", own + libraries)}
    return allowed


def name_of(path: Path) -> str:
    """The dotted name of a module, that of the folder for a package's `__init__`."""
    return ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__")


ALLOWED = table()
MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """The absolute names that a file imports, those inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_modules(path: Path) -> set[str]:
    """The modules of Whistle's own that a file imports."""
    names = {name if name in MODULES else name.rpartition(".")[0] for name in imports(path)}
    return names & set(MODULES) - {name_of(path)}


def area(path: Path) -> str:
    """The part of the architecture to which a file belongs."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"whistle"}))
def test_imports_only_what_its_place_allows(name: str) -> None:
    """Each module imports the standard library and what the table gives its package."""
    allowed = ALLOWED[f"whistle.{area(MODULES[name])}"]
    foreign = {
        imported
        for imported in imports(MODULES[name])
        if imported.split(".")[0] not in sys.stdlib_module_names
        and imported != "whistle.__version__"
        and not any(imported == one or imported.startswith(one + ".") for one in allowed)
    }
    assert not foreign


def test_every_package_has_a_row() -> None:
    """The table names what there is and nothing else."""
    assert set(ALLOWED) == {f"whistle.{area(path)}" for name, path in MODULES.items() if name != "whistle"}


def test_every_package_is_installed() -> None:
    """Those that setup.cfg names are those that there are."""
    config = configparser.ConfigParser()
    config.read(TOP / "setup.cfg", "utf-8")
    named = [name for name in config["options"]["packages"].split() if not name.startswith("whistle.migrations")]
    assert sorted(named) == sorted({name_of(path.parent / "__init__.py") for path in MODULES.values()})


def test_no_modules_import_each_other_in_a_circle() -> None:
    """The modules can be put in an order in which each imports earlier ones only."""
    try:
        TopologicalSorter({name: imported_modules(path) for name, path in MODULES.items()}).prepare()
    except CycleError as exc:
        pytest.fail(" -> ".join(exc.args[1]))


def test_no_folders_own_modules_import_from_the_folders_inside_it() -> None:
    """Modules that folders share lie above them and do not import from them."""
    for name, path in MODULES.items():
        if path.name == "__init__.py":
            continue
        inside = {other for other in imported_modules(path) if path.parent in MODULES[other].parent.parents}
        assert not {other for other in inside if not other.startswith(INSIDE.get(name, "-"))}, name


def test_no_folder_has_more_modules_than_one_can_look_over() -> None:
    """At most sixteen, besides `__init__`."""
    for folder in {path.parent for path in MODULES.values()}:
        assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MOST_MODULES, folder


def exists(*parts: str) -> bool:
    """Whether there is such a file or folder, at the top or in `whistle/`; a module's ending may be left out."""
    places = [place.joinpath(*parts) for place in (TOP, ROOT)]
    return any(place.with_name(place.name + ending).exists() for place in places for ending in ("", ".py", ".js"))


def test_every_path_that_the_architecture_names_exists() -> None:
    """Those in the text, those that it links to, and each module in its tree."""
    text, tree = ARCHITECTURE.split("```")[::2], ARCHITECTURE.split("```")[1]
    named = re.findall(r"`([a-zA-Z_.]+/[a-zA-Z_./]*)`|\]\(([^)#:]+)\)", "".join(text))
    missing = [path for pair in named for path in pair if path and not exists(path)]
    folders: list[tuple[int, str]] = []
    for line in tree.strip().splitlines():
        match = TREE.fullmatch(line)
        assert match, line
        folders = [(depth, folder) for depth, folder in folders if depth < len(match[1])]
        folders.append((len(match[1]), match[2]))
        parts = [folder for _, folder in folders]
        missing += [f"{'/'.join(parts)}/{name}" for name in match[3].split(", ") if not exists(*parts, name)]
    assert named and not missing


def test_only_the_command_line_imports_the_command_line() -> None:
    """Nobody imports whistle.cli or whistle.ceremony but the command line and the ceremony itself."""
    for path in ROOT.rglob("*.py"):
        names = imports(path)
        if area(path) != "cli":
            assert not any(name.startswith("whistle.cli") for name in names), path
        if area(path) not in {"cli", "ceremony"}:
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
