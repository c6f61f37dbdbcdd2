"""The rules of the house that a program can check: floors, sizes, names, documentation."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE, MAX_FUNCTION, MAX_PARAMETERS = 600, 60, 7
GROUND = {"nn", "losses", "metrics", "figures"}
BELOW_STUDIES = GROUND | {"data", "readers", "features"}
#: room -> rooms it may import, besides itself and the ground modules.
FLOORS: dict[str, set[str]] = {
    "xp": set(),
    "nn": set(),
    "losses": {"nn"},
    "metrics": {"nn"},
    "figures": {"metrics"},
    "data": GROUND,
    "readers": GROUND | {"data"},
    "features": GROUND | {"data"},
    "studies": BELOW_STUDIES,
    "models": GROUND,
    "engine": GROUND | {"data", "models", "xp"},
    "solvers": BELOW_STUDIES | {"studies", "models", "engine", "xp"},
    "predict": BELOW_STUDIES | {"models", "solvers", "xp"},
    "eval": BELOW_STUDIES | {"studies", "models", "engine", "solvers", "predict", "xp"},
}
GROUND_MODULES = {"errors", "registry", "facts"}
#: Facades on the path of `dora info` and `dora grid`: what they open is heavy.
LIGHT = {"bm/train.py", "bm/models/__init__.py"}

#: Words that say how a value came about and not what it is: `metrics`, `rows`, `path` say it.
NAMELESS = {"found", "own", "known", "kept", "given"}
#: Files -> why such a name may stand there.
MAY_STAND = {
    "bm/models/clip/options.py": "`kept` is a key of published configurations",
}


HEAVY = ("torch", "mne", "transformers", "diffusers", "wandb", "pandas", "scipy", "sklearn")


def sources() -> list[Path]:
    """Python files of the project, tests excluded."""
    files = [p for top in ("bm", "grids", "scripts") for p in sorted((ROOT / top).rglob("*.py"))]
    return [p for p in files if "tests" not in p.relative_to(ROOT).parts]


def relative(path: Path) -> str:
    """Path from the root of the repository, as messages and lists name it."""
    return path.relative_to(ROOT).as_posix()


def files_of_tests() -> list[Path]:
    """Python files of the tests, their helpers included."""
    return sorted((ROOT / "bm" / "tests").rglob("*.py"))


def imported_names(path: Path) -> set[str]:
    """Return the absolute dotted names that the file imports."""
    package = list(path.relative_to(ROOT).parts[:-1])
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            head = ".".join(base + ([node.module] if node.module else []))
            names |= {f"{head}.{alias.name}" for alias in node.names}
    return names


def imported_rooms(path: Path) -> set[str]:
    """Return the first-level rooms of the package that the file imports."""
    names = imported_names(path)
    return {name.split(".")[1] for name in names if name.startswith("bm.")} & set(FLOORS)


@pytest.mark.parametrize("path", sources(), ids=relative)
def test_file_follows_the_house(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert path.name not in {"utils.py", "misc.py", "common.py", "helpers.py"}
    assert text.count("\n") <= MAX_FILE, f"{path.name} has over {MAX_FILE} lines"
    assert not text.strip() or ast.get_docstring(tree), "no module docstring"
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        assert length <= MAX_FUNCTION, f"{node.name}: {length} lines"
        arguments = [
            a for a in node.args.args + node.args.kwonlyargs if a.arg not in ("self", "cls")
        ]
        if node.name != "__init__":
            assert len(arguments) <= MAX_PARAMETERS, f"{node.name}: {len(arguments)} parameters"


@pytest.mark.parametrize("path", sources(), ids=relative)
def test_rooms_import_only_from_floors_below(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    if parts[0] != "bm" or len(parts) < 3:
        return
    above = imported_rooms(path) - FLOORS[parts[1]] - {parts[1]}
    assert not above, f"{parts[1]} imports {sorted(above)}, which stand above it"


@pytest.mark.parametrize("path", files_of_tests(), ids=relative)
def test_what_tests_share_lies_in_modules_of_its_own(path: Path) -> None:
    """A name imported from a test file ties the two: neither can be moved or run alone."""
    parts = {part for name in imported_names(path) for part in name.split(".")}
    files = {part for part in parts if part.startswith("test_") or part == "conftest"}
    assert not files, f"imports from {sorted(files)}: move what is shared to a module of a noun"


def assigned_names(path: Path) -> dict[str, int]:
    """Return the names of the values and arguments of a file -> line of the last of each."""
    names = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.arg):
            names[node.arg] = node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = node.lineno
    return names


@pytest.mark.parametrize("path", [*sources(), *files_of_tests()], ids=relative)
def test_a_value_is_called_by_its_noun(path: Path) -> None:
    lines = {name: n for name, n in assigned_names(path).items() if name in NAMELESS}
    assert not lines or relative(path) in MAY_STAND, f"call it what it is (name: line): {lines}"


def inner_imports(path: Path) -> list[int]:
    """Lines of the imports of the package's own modules inside functions."""
    lines = set()
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.ImportFrom):
                if node.level or (node.module or "").split(".")[0] == "bm":
                    lines.add(node.lineno)
            elif isinstance(node, ast.Import):
                lines |= {node.lineno for a in node.names if a.name.split(".")[0] == "bm"}
    return sorted(lines)


@pytest.mark.parametrize(
    "path", [p for p in sources() if p.is_relative_to(ROOT / "bm")], ids=relative
)
def test_own_modules_are_imported_at_the_top(path: Path) -> None:
    """An import inside a function hides a circle; only where start-up needs it, it may stand."""
    if relative(path) not in LIGHT:
        assert inner_imports(path) == [], "own modules are imported at the top"


def test_command_line_imports_nothing_heavy() -> None:
    """`dora info` and `dora grid` import bm.train: Dora pulls torch, nothing else may be added."""
    code = (
        "import sys, bm.train, grids.demo.main; "
        f"print([m for m in {HEAVY[1:]!r} if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip().splitlines()[-1] == "[]"
