"""The house stands as it was drawn: floors, pure floors, lengths, docstrings, one test file for
each module.

The checks are functions of a tree, so that they are tested themselves on small trees that break
each rule.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "jwtleak"
TESTS = Path(__file__).parent

MAX_FUNCTION = 60
MAX_FILE = 400

# Rooms by floor: imports only go down, or stay in the room. Two rooms of one floor know nothing of
# each other, but for the vocabulary on the ground.
FLOORS = (
    ("types", "secret", "errors", "version"),
    ("core",),
    ("assess",),
    ("alerts",),
    ("formats",),
    ("typed_toml", "key_files", "patterns", "store", "sinks", "sources"),
    ("archives",),
    ("follow",),
    ("runtime",),
    ("cli",),
    # The top: the library's door and the program's, which only say what is where.
    ("", "api", "__main__"),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
GROUND, PURE = 0, 4

# A pure floor sees no file, clock, socket, thread, environment, log or chance.
IMPURE = frozenset(
    {
        "os",
        "io",
        "time",
        "logging",
        "pathlib",
        "socket",
        "threading",
        "random",
        "subprocess",
        "tempfile",
        "glob",
        "asyncio",
        "multiprocessing",
        "select",
        "signal",
        "sys",
        "shutil",
        "ssl",
        "http",
        "urllib",
        "queue",
        "secrets",
        "uuid",
        "getpass",
        "platform",
        "ctypes",
        "mmap",
        "fcntl",
        "concurrent",
        "selectors",
        "locale",
    }
)
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "breakpoint", "__import__"})
CLOCKS = frozenset({"now", "utcnow", "today"})
MARKERS = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")

# Nothing happens in these: a re-export, a number, a call of the command line.
NEEDS_NO_TEST = frozenset({"__init__", "__main__", "version"})


Problems = Iterator[str]


def modules(package: Path) -> Iterator[tuple[tuple[str, ...], Path, ast.Module]]:
    """(Path inside the package without suffix, file, tree) of every module."""
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package).with_suffix("").parts, path, ast.parse(path.read_bytes())


def room_of(parts: tuple[str, ...]) -> str:
    """The room of the module `jwtleak.<parts>`; the package itself is the room ''."""
    return "" if not parts or parts[0] == "__init__" else parts[0]


def imports(tree: ast.Module, package: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(Top-level package, further parts) of everything that is imported anywhere in `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first, *rest = alias.name.split(".")
                yield first, tuple(rest)
        elif isinstance(node, ast.ImportFrom):
            first, *rest = (node.module or "").split(".") if not node.level else ["<relative>"]
            if first != package or rest:
                yield first, tuple(rest)
                continue
            for alias in node.names:
                yield first, (alias.name,)


def floors(package: Path) -> Problems:
    """Imports that go up, or aside into another room of floor 5, or that do not say from where."""
    for parts, path, tree in modules(package):
        room = room_of(parts)
        if room not in FLOOR_OF:
            yield f"{path.name}: there is no room {room}"
            continue
        for first, rest in imports(tree, package.name):
            if first == "<relative>":
                yield f"{path.name}: relative import"
            if first != package.name:
                continue
            other = rest[0] if rest and rest[0] in FLOOR_OF else ""
            aside = (
                FLOOR_OF[other] == FLOOR_OF[room]
                and other != room
                and GROUND < FLOOR_OF[room] < FLOOR_OF[""]
            )
            if FLOOR_OF[other] > FLOOR_OF[room] or aside:
                yield f"{'/'.join(parts)} imports {'.'.join(rest) or package.name}"


def edges(package: Path) -> dict[str, set[str]]:
    """Which module imports which, anywhere in it: in functions and under TYPE_CHECKING too.

    What a package's `__init__` imports counts for whoever imports from it; importing a module does
    not count as importing the packages that it is in, whose `__init__` may import it.
    """
    names = {
        ".".join(part for part in parts if part != "__init__") for parts, *_ in modules(package)
    }
    found: dict[str, set[str]] = {name: set() for name in names}
    for parts, _, tree in modules(package):
        name = ".".join(part for part in parts if part != "__init__")
        for node in ast.walk(tree):
            targets: list[str] = []
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                targets = [f"{node.module}.{alias.name}" for alias in node.names]
                if node.module and any(target.partition(".")[2] not in names for target in targets):
                    targets.append(node.module)
            for target in targets:
                first, _, rest = target.partition(".")
                if first == package.name and rest in names and rest != name:
                    found[name].add(rest)
    return found


def circles(package: Path) -> Problems:
    """Modules that import each other, directly or over others; each circle once."""
    graph = edges(package)
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> Problems:
        if name in path:
            yield " -> ".join([*path[path.index(name) :], name])
        elif name not in done:
            for other in sorted(graph[name]):
                yield from walk(other, [*path, name])
            done.add(name)

    for name in sorted(graph):
        yield from walk(name, [])


def purity(package: Path) -> Problems:
    """Files, clocks, sockets, threads, environment and logs in floors 0 to 4."""
    for parts, path, tree in modules(package):
        if FLOOR_OF.get(room_of(parts), PURE + 1) > PURE:
            continue
        for first, _ in imports(tree, package.name):
            if first in IMPURE:
                yield f"{path.name} imports {first}"
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
                yield f"{path.name}:{node.lineno} calls {node.func.id}"
            if isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
                yield f"{path.name}:{node.lineno} asks a clock"


def lengths(package: Path) -> Problems:
    """Functions over 60 lines and files over 400."""
    for parts, path, tree in modules(package):
        count = len(path.read_bytes().splitlines())
        if count > MAX_FILE:
            yield f"{'/'.join(parts)} has {count} lines"
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > MAX_FUNCTION:
                    yield f"{'/'.join(parts)}: {node.name} has {size} lines"


def docstrings(package: Path) -> Problems:
    """Modules that do not say what they are."""
    for parts, _, tree in modules(package):
        if not ast.get_docstring(tree):
            yield f"{'/'.join(parts)} has no docstring"


def markers(package: Path) -> Problems:
    """What was left for later."""
    for parts, path, _ in modules(package):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if MARKERS.search(line):
                yield f"{'/'.join(parts)}:{number} was left for later"


def untested(package: Path, tests: Path) -> Problems:
    """Modules without a test file of their own name in the folder of their room."""
    for parts, _, _ in modules(package):
        *folders, name = parts
        if (
            name not in NEEDS_NO_TEST
            and not tests.joinpath("unit", *folders, f"test_{name}.py").is_file()
        ):
            yield "/".join(parts)


def unsaid(tests: Path) -> Problems:
    """Tests whose docstring does not state their fact."""
    for parts, _, tree in modules(tests):
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.FunctionDef)
                and node.name.startswith("test_")
                and not ast.get_docstring(node)
            ):
                yield f"{'/'.join(parts)}: {node.name}"


@pytest.mark.parametrize("check", [floors, circles, purity, lengths, docstrings, markers])
def test_the_house(check: Callable[[Path], Problems]) -> None:
    """The package keeps the rule."""
    assert list(check(PACKAGE)) == []


def test_every_module_has_its_test_file() -> None:
    """`jwtleak/a/b.py` is tested by `tests/unit/a/test_b.py`."""
    assert list(untested(PACKAGE, TESTS)) == []


def test_every_test_states_a_fact() -> None:
    """Every test function has a docstring."""
    assert list(unsaid(TESTS)) == []


def tree(root: Path, **files: str) -> Path:
    """A package `jwtleak` in `root`, of sound modules but for `files`: `core__a` is core/a.py, and
    `core____init__` is core/__init__.py.
    """
    package = root / "jwtleak"
    sound = {
        "__init__": '"""x"""',
        "types": '"""x"""',
        "core__a": '"""x"""\nfrom jwtleak.types import b',
        **files,
    }
    for name, text in sound.items():
        room, is_init, _ = name.partition("__init__")
        parts = [*room.strip("_").split("__"), is_init]
        path = package.joinpath(*parts).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


def test_a_sound_tree_passes(tmp_path: Path) -> None:
    """Imports downwards, in the room, of the ground floor, and from the top are no violation."""
    package = tree(
        tmp_path,
        core__b='"""x"""\nfrom jwtleak.core.a import c\nimport json',
        secret='"""x"""\nfrom jwtleak.types import d',
        sources__a='"""x"""\nfrom jwtleak import types\nimport os\nopen("x")',
        cli__a='"""x"""\nfrom jwtleak.runtime import e\nfrom jwtleak.version import f',
        api='"""x"""\nfrom jwtleak.cli import g',
    )
    for check in (floors, circles, purity, lengths, docstrings, markers):
        assert list(check(package)) == []


@pytest.mark.parametrize(
    "files",
    [
        {"core__a": "from jwtleak.alerts import x"},
        {"core__a": "import jwtleak.runtime.scan.scan"},
        {"core__a": "def f():\n    from jwtleak.cli.main import run"},
        {"core__a": "if 0:\n    import jwtleak"},
        {"cli__a": "from jwtleak import scan"},
        {"cli__a": "from jwtleak.api import scan"},
        {"types": "from jwtleak.core import a"},
        {"sources__a": "from jwtleak.patterns.loader import x"},
        {"patterns__a": "from jwtleak.sources import x"},
        {"typed_toml": "from jwtleak import sinks"},
        {"core__a": "from . import b"},
        {"core__a": "from ..alerts import b"},
        {"attic__a": "x = 1"},
    ],
)
def test_imports_that_go_up_are_found(tmp_path: Path, files: dict[str, str]) -> None:
    """Every way of importing a higher floor, a neighbour on floor 5, or from nowhere is a
    violation.
    """
    assert len(list(floors(tree(tmp_path, **files)))) == 1


@pytest.mark.parametrize(
    "files",
    [
        {"core__b": "import jwtleak.core.a", "core__a": "from jwtleak.core.b import x"},
        {"core__b": "from jwtleak.core import a", "core__a": "import jwtleak.core.b as x"},
        {
            "core__b": "if TYPE_CHECKING:\n    from jwtleak.core.a import A",
            "core__a": "import jwtleak.core.b",
        },
        {
            "core__b": "def f():\n    from jwtleak.core.a import g",
            "core__a": "def g():\n    import jwtleak.core.b",
        },
        {"core____init__": "from jwtleak.core.a import x", "core__a": "from jwtleak.core import x"},
        {
            "core__a": "import jwtleak.core.b",
            "core__b": "import jwtleak.core.c",
            "core__c": "import jwtleak.core.a",
        },
    ],
)
def test_circles_are_found(tmp_path: Path, files: dict[str, str]) -> None:
    """Modules that import each other, however late and only for types."""
    assert len(list(circles(tree(tmp_path, **files)))) == 1


def test_a_package_may_import_its_modules(tmp_path: Path) -> None:
    """A module of a package is no import of the package; two ways to one module are no circle."""
    package = tree(
        tmp_path,
        core____init__="from jwtleak.core.a import x\nfrom jwtleak.core.b import y",
        core__a="from jwtleak.core.b import z",
        core__b="from jwtleak.core import c",
        core__c="from jwtleak.types import d",
    )
    assert list(circles(package)) == []


@pytest.mark.parametrize(
    "files",
    [
        {"core__a": "import os"},
        {"core__a": "from os.path import join"},
        {"alerts__a": "import os.path as p"},
        {"secret": "def f():\n    import time"},
        {"errors": "from logging import getLogger"},
        {"core__a": "open('x')"},
        {"core__a": "print(1)"},
        {"alerts__a": "from datetime import datetime\ndatetime.now()"},
        {"alerts__a": "import datetime\ndatetime.datetime.utcnow()"},
    ],
)
def test_impurities_are_found(tmp_path: Path, files: dict[str, str]) -> None:
    """A file, clock, log or environment in floors 0 to 4 is a violation."""
    assert len(list(purity(tree(tmp_path, **files)))) == 1


def test_lengths_are_measured(tmp_path: Path) -> None:
    """A function of 60 lines and a file of 400 pass; one line more does not."""
    fits = "def f():\n" + "    x = 1\n" * (MAX_FUNCTION - 1)
    package = tree(tmp_path / "a", core__a=fits, core__b="x = 1\n" * MAX_FILE)
    assert list(lengths(package)) == []
    nested = "class C:\n    def f(self):\n" + "        x = 1\n" * MAX_FUNCTION
    package = tree(
        tmp_path / "b",
        core__a=nested,
        core__b="x = 1\n" * (MAX_FILE + 1),
        core__c="async " + fits + "    x = 1\n",
    )
    assert list(lengths(package)) == [
        "core/a: f has 61 lines",
        "core/b has 401 lines",
        "core/c: f has 61 lines",
    ]


def test_missing_words_are_found(tmp_path: Path) -> None:
    """A module without a docstring and a note for later are violations."""
    package = tree(tmp_path, core__a="x = 1", core__b='"""x"""\nx = 1  # TO' + "DO: more\n")
    assert list(docstrings(package)) == ["core/a has no docstring"]
    assert list(markers(package)) == ["core/b:2 was left for later"]


def test_missing_tests_are_found(tmp_path: Path) -> None:
    """A module needs the test file in the folder of its room; what only names things needs none."""
    package = tree(tmp_path, core__b="x = 1", version="x = 1")
    tests = tmp_path / "tests" / "unit" / "core"
    tests.mkdir(parents=True)
    (tests / "test_a.py").write_text('def test_x():\n    """Says."""\ndef test_y():\n    pass\n')
    (tests.parent / "test_b.py").touch()
    assert list(untested(package, tmp_path / "tests")) == ["core/b", "types"]
    assert list(unsaid(tmp_path / "tests")) == ["unit/core/test_a: test_y"]
