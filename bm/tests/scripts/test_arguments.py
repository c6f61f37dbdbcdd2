"""Arguments of the scripts: text stays text, mistakes are one line."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import scripts
from bm.errors import UserError
from scripts._arguments import main_of, parse


def command(
    grid: str | None = None, sigs: tuple[str, ...] = (), jobs: int = 1, slurm: bool = False
) -> int:
    """A command with one argument of every kind."""
    if grid == "bad":
        raise UserError("no such grid")
    return 0


def test_signatures_stay_text() -> None:
    values = parse(command, ["sigs=[12345678,12e45678]", "jobs=3", "slurm=true"])
    assert values == {"sigs": ["12345678", "12e45678"], "jobs": 3, "slurm": True}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("gird=x", "did you mean 'grid'?"),
        ("jobs=two", "number"),
        ("slurm=si", "true"),
    ],
)
def test_mistakes_name_the_value_and_the_way_out(word: str, expected: str) -> None:
    with pytest.raises(UserError) as error:
        parse(command, [word])
    assert expected in str(error.value) and word.split("=")[1] in str(error.value)


def test_a_word_without_a_value_is_refused() -> None:
    with pytest.raises(UserError, match="unknown argument 'grid'"):
        parse(command, ["grid"])


def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main_of(command, ["grid=good"]) == 0
    assert main_of(command, ["grid=bad"]) == 2
    assert capsys.readouterr().err == "error: no such grid\n"


def test_a_reader_that_has_enough_is_no_failure() -> None:
    """Symptom: `... | head` ended in a traceback."""
    code = (
        "import sys; sys.path.insert(0, '.'); from scripts._arguments import main_of\n"
        "def command():\n    for i in range(100000): print(i)\n    return 0\n"
        "sys.exit(main_of(command, []))"
    )
    run = f'{sys.executable} -c "$CODE" | head -1; exit ${{PIPESTATUS[0]}}'
    environment = {**os.environ, "CODE": code}
    root = Path(scripts.__file__).parents[1]
    done = subprocess.run(
        ["bash", "-c", run], capture_output=True, text=True, cwd=root, env=environment
    )
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 141)


SCRIPTS = sorted(Path(scripts.__file__).parent.glob("[a-z]*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_the_help_of_a_script_ends_with_examples(path: Path) -> None:
    lines = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
    # run_eval_probs is another system's name, and shows the script of that work here
    start = f"python -m scripts.{path.stem.removesuffix('_probs')}"
    examples = [line for line in lines if line.lstrip().startswith(start)]
    assert examples and all(len(line) <= 100 for line in examples)
