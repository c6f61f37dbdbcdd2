"""The page on extending is run as a reader would: its blocks copied into a tree, its commands."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import mne
import numpy as np
import pytest

from bm.engine.solver import Solver
from bm.models import contract

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extending.md"
#: A path on a line of its own, and the block below it.
BLOCK = re.compile(r"^`([\w/.]+)`[^\n]*\n\n```(python|yaml|diff)\n(.*?)^```$", re.M | re.S)
#: Chapter whose blocks are the sixth system; the others are one snippet each.
SYSTEM = "# Adding a system"
LIMIT = 300  # lines of Python and YAML of a small system with two stages
#: Runs commands one after the other in one process, since each would import torch and MNE again.
RUNNER = """
import contextlib, io, json, os, runpy, sys
outputs = {}
for command in json.load(sys.stdin):
    sigs = os.path.join(os.environ["BM_OUTPUTS"], "xps")
    words = command.replace("SIGNATURE", os.listdir(sigs)[0] if "SIGNATURE" in command else "")
    module, *sys.argv[1:] = words.removeprefix("python -m ").split()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as left:
            assert not left.code, (command, left.code)
    outputs[command] = printed.getvalue()
print(json.dumps(outputs))
"""
PRETRAIN = "dora run solver=biot/debug_pretrain"
TUNE = "dora run solver=biot/debug init_from=//sig/SIGNATURE"
TABLES = "python -m scripts.make_tables grid=biot.debug"
COMMANDS = [
    PRETRAIN, TUNE, "dora run solver=biot/debug", "python -m scripts.run_eval grid=biot.debug",
    TABLES, "dora run solver=supervised/nights paths.studies=data dset.split.seed=3",
]  # fmt: skip


def chapters() -> dict[str, list[tuple[str, str, str]]]:
    """Return (path, language, text) of the blocks of each chapter of the page."""
    parts = re.split(
        r"^## (?=A study$|A preprocessing|A metric|A task)", PAGE.read_text(), flags=re.M
    )
    return {part.partition("\n")[0]: BLOCK.findall(part) for part in parts}


def change(text: str, diff: str) -> str:
    """Apply a block of changed lines, whose old lines must stand in a text exactly once."""
    lines = diff.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] != "+")
    assert text.count(old) == 1, f"not there, or more than once:\n{old}"
    return text.replace(old, "".join(line[1:] for line in lines if line[0] != "-"))


def write_nights(folder: Path) -> None:
    """Write four minutes of noise for each of eight people, louder while awake, on a slope."""
    folder.mkdir(parents=True)
    table = "start_s,stage\n" + "".join(f"{30 * i},{'W' if i < 4 else 'N2'}\n" for i in range(8))
    for person in range(8):
        samples = np.random.default_rng(person).normal(0, 2e-5, (3, 24000))
        samples[:, :12000] *= 2
        info = mne.create_info(["C3", "C4", "OZ"], 100.0, "eeg")
        raw = mne.io.RawArray(samples + np.linspace(0, 1e-3, 24000), info, verbose="error")
        raw.save(folder / f"p{person:02d}_raw.fif", verbose="error")
        (folder / f"p{person:02d}_raw.csv").write_text(table)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A copy of the repository without its tests, with all blocks of the page."""
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("tests", "__pycache__")
    for name in ("bm", "conf", "grids", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "bm/tests").mkdir()
    for path in (ROOT / "bm/tests").glob("*.py"):  # those of the house, and what they share
        shutil.copy(path, folder / "bm/tests")
    for blocks in chapters().values():
        for name, language, text in blocks:
            path = folder / name
            if language == "diff":
                path.write_text(change(path.read_text(), text))
            else:
                assert not path.exists(), f"{name} is no new file"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    return folder


@pytest.fixture(scope="module")
def finished(tree) -> SimpleNamespace:
    """What the commands of the page print and leave."""
    write_nights(tree / "data/nights")
    environment = {k: v for k, v in os.environ.items() if k != "DORA_PACKAGE"}
    environment |= {"PYTHONPATH": str(tree), "BM_OUTPUTS": str(tree / "outputs"),
                    "BM_CACHE": str(tree / "cache"), "BM_SITE": os.devnull}  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-c", RUNNER], cwd=tree, env=environment, input=json.dumps(COMMANDS),
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    runs = {}
    for folder in (tree / "outputs/xps").iterdir():
        words = " ".join(json.loads((folder / ".argv.json").read_text()))
        runs[re.sub("//sig/.*", "//sig/SIGNATURE", f"dora run {words}")] = folder
    printed = json.loads(result.stdout.splitlines()[-1])
    return SimpleNamespace(printed=printed, runs=runs, outputs=tree / "outputs")


def read(path: Path):
    return json.loads(path.read_text())


def test_a_system_is_new_files_and_one_line_a_name() -> None:
    (blocks,) = (blocks for title, blocks in chapters().items() if title.startswith(SYSTEM))
    files = [text for _, language, text in blocks if language != "diff"]
    changed = [
        line for _, language, text in blocks if language == "diff" for line in text.splitlines()
    ]
    added = [line for line in changed if line[0] == "+"]
    names = re.findall(r'^@(?:MODELS|SOLVERS)\.register\("(\w+)"\)', "".join(files), flags=re.M)
    assert sorted(re.findall(r'^\+ +"(\w+)": "bm\.', "\n".join(added), flags=re.M)) == sorted(names)
    assert len(added) == len(names) and not any(line[0] == "-" for line in changed)
    assert sum(text.count("\n") for text in files) + len(added) <= LIMIT


@pytest.mark.parametrize("title", ["A study", "A preprocessing step", "A metric", "A task"])
def test_a_part_is_new_files_and_at_most_one_line(title) -> None:
    blocks = chapters()[title]
    lines = [
        line for _, language, text in blocks if language == "diff" for line in text.splitlines()
    ]
    assert sum(line[0] == "+" for line in lines) == (title != "A metric")
    assert any(language == "python" for _, language, _ in blocks)


def test_the_page_follows_the_house(tree) -> None:
    new = [
        name
        for blocks in chapters().values()
        for name, language, _ in blocks
        if language == "python"
    ]
    for words in (["check"], ["format", "--check"]):
        subprocess.run([sys.executable, "-m", "ruff", *words, *new], cwd=tree, check=True)
    chosen = " or ".join(new)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "bm/tests/test_house.py", "-k", chosen],
        cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:]
    count = re.search(r"(\d+) passed", result.stdout)
    assert count and int(count[1]) >= 2 * len(new), result.stdout  # its two tests of every file


def test_commands_are_those_of_the_page() -> None:
    text = PAGE.read_text()
    assert all(command.split(" paths.")[0] in text for command in COMMANDS)


def test_contributing_names_every_hook_and_every_group_of_the_contract() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    hooks = text.partition("## Hooks of a solver")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", hooks, flags=re.M)
    assert sorted(named) == sorted(name for name in vars(Solver) if is_hook(name))
    offers = text.partition("## What a model may offer")[2].partition("\n## ")[0]
    groups = [name for name in contract.__all__ if isinstance(getattr(contract, name), type)]
    assert len(groups) > 10 and [name for name in groups if f"`{name}`" not in offers] == []


def is_hook(name: str) -> bool:
    """Return whether a name of the class `Solver` is a public method or property."""
    member = vars(Solver)[name]
    return name[0] != "_" and (callable(member) or isinstance(member, property))


def test_the_tree_of_the_readme_has_every_room() -> None:
    tree = (ROOT / "README.md").read_text().partition("## Where things are")[2].split("```")[1]
    rooms = re.findall(r"^  (\w+)/ ", tree, flags=re.M)
    assert sorted(rooms) == sorted(p.parent.name for p in (ROOT / "bm").glob("*/__init__.py"))
    inside = re.findall(
        r"(\w+)/", "".join(re.findall(r"^  (?:solvers|eval)/(.*)", tree, flags=re.M))
    )
    folders = [
        p.parent.name
        for room in ("solvers", "eval")
        for p in (ROOT / "bm" / room).glob("*/__init__.py")
    ]
    assert sorted(inside) == sorted(folders)
    tops = re.findall(r"^(\w+)/", tree, flags=re.M)
    assert all((ROOT / top).is_dir() for top in tops) and {"conf", "grids", "scripts"} < set(tops)


@pytest.mark.story
def test_both_stages_train_and_the_second_starts_from_the_first(finished) -> None:
    first, tuned, scratch = (finished.runs[command] for command in COMMANDS[:3])
    history = read(first / "history.json")
    assert history[-1]["valid"]["loss"] < history[0]["valid"]["loss"] - 0.2
    stored = read(first / "evaluation.json")
    assert stored["metrics"]["accuracy"] > 2 * stored["chance"]["accuracy"] > 0
    log = (tuned / "main.log").read_text()
    assert re.search(r"39 tensors loaded; 2 missing \(head\.1\.weight, head\.1\.bias\)", log)
    losses = [read(folder / "history.json")[-1]["train"]["loss"] for folder in (tuned, scratch)]
    assert losses[0] < losses[1] / 2  # what was learned without labels is of use


@pytest.mark.story
def test_a_finished_pre_training_is_a_row_with_its_own_metric(finished) -> None:
    """Symptom: "missing: no balanced_accuracy" in the row of a pre-training that had finished."""
    assert "missing" not in finished.printed[TABLES]
    folder = finished.outputs / "tables/biot.debug"
    row, chance = csv.DictReader((folder / "table-views-accuracy.csv").open())
    metrics = read(finished.runs[PRETRAIN] / "evaluation.json")["metrics"]
    assert float(row["accuracy"]) == pytest.approx(metrics["accuracy"], abs=5e-4)
    assert chance["variant"] == "chance" and 0 < float(chance["accuracy"]) < 0.2
    lines = list(csv.DictReader((folder / "table.csv").open()))
    assert all(line["balanced_accuracy"] for line in lines)


@pytest.mark.story
def test_study_step_metric_and_task_meet_in_one_run(finished) -> None:
    # where data lie is no part of an experiment, and not stored with it
    folder = finished.runs[COMMANDS[-1].replace("paths.studies=data ", "")]
    stored = read(folder / "evaluation.json")
    assert stored["extra"]["table"][-1] == "calibration_error"
    assert 0 <= stored["metrics"]["calibration_error"] <= 1
    facts = read(folder / "best/facts.json")
    assert facts["classes"] == ["N2", "W"] and facts["preprocess"] == [{"step": "detrend"}]
    assert "calibration_error" in read(folder / "history.json")[-1]["valid"]
    # of a slope of 1 mV nothing is left: the deviation is that of the noise, 20 and 40 uV
    assert max(facts["scaler"]["scale"]) < 40
