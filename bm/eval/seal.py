"""Seals: hashes of everything behind a number, so that what was changed afterwards is found.

A cell of a table is its signature, commit, data, split, weights, items and metrics. A seal keeps no
secret: who edits a result and its seal together is found by training a sample of cells again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..xp.files import DamagedFileError, read_json, write_json

NAME = "seal.json"
#: Files of an experiment that its numbers depend on; of `best` all that is in it.
FILES = (
    ".argv.json",
    "guard.json",
    "splits.csv",
    "splits.json",
    "audit.json",
    "recordings.json",
    "history.json",
    "finished.json",
    "evaluation.json",
    "items.parquet",
)
BEST = "best"
#: Files of an evaluation.
EVALUATION = ("metrics.json", "items.parquet")
CHUNK = 1 << 20


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(CHUNK):
            digest.update(part)
    return digest.hexdigest()


def digest_of(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain values without their own `digest`."""
    rest = {key: value for key, value in values.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def hashes_in(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Return name -> hash of the files that a folder has, those of `best` included."""
    best = sorted(p for p in (folder / BEST).rglob("*") if p.is_file())
    paths = [folder / name for name in names if (folder / name).is_file()]
    return {p.relative_to(folder).as_posix(): hash_of(p) for p in [*paths, *best]}


def seal_cell(experiment: Path, evaluation: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Write the seal of an evaluated experiment into its evaluation; return it.

    Args:
        experiment: its folder.
        evaluation: folder with `metrics.json`.
        identity: sig, commit and data_hash.
    """
    seal = {
        **identity,
        "experiment": hashes_in(experiment, FILES),
        "evaluation": hashes_in(evaluation, EVALUATION),
    }
    seal["digest"] = digest_of(seal)
    write_json(evaluation / NAME, seal)
    return seal


def seal_table(folder: Path, evaluations: Path, sigs: list[str]) -> None:
    """Write the seal of a table: hashes of its files, and the seals of its cells.

    Args:
        folder: of the table.
        evaluations: folders by signature.
        sigs: of its experiments.
    """
    files = tuple(sorted(p.name for p in folder.iterdir() if p.is_file() and p.name != NAME))
    digests = {s: hash_of(evaluations / s / NAME) for s in sigs
               if (evaluations / s / NAME).is_file()}  # fmt: skip
    seal: dict[str, Any] = {"files": hashes_in(folder, files), "cells": digests}
    seal["digest"] = digest_of(seal)
    write_json(folder / NAME, seal)


def _changes(folder: Path, sealed: Mapping[str, str], present: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*sealed, *present}):
        if name not in present:
            yield f"{folder / name} is gone"
        elif name not in sealed:
            yield f"{folder / name} was added"
        elif sealed[name] != present[name]:
            yield f"{folder / name} was changed"


def _read(path: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """Return a seal, or None with what is wrong with it."""
    try:
        seal = read_json(path)
    except DamagedFileError as error:
        return None, [str(error)]
    if seal is None:
        return None, [f"{path} is missing: run scripts.run_eval, then scripts.make_tables"]
    if seal.get("digest") != digest_of(seal):
        return seal, [f"{path} was changed"]
    return seal, []


def check_cell(experiment: Path, evaluation: Path, sig: str) -> list[str]:
    """Return what was changed since a cell was sealed, one line each; empty when nothing was.

    Args:
        experiment: folder of the experiment.
        evaluation: folder of its evaluation.
        sig: signature that its arguments have now.
    """
    seal, lines = _read(evaluation / NAME)
    if seal is None:
        return lines
    lines += _changes(experiment, seal.get("experiment", {}), hashes_in(experiment, FILES))
    lines += _changes(evaluation, seal.get("evaluation", {}), hashes_in(evaluation, EVALUATION))
    if seal.get("sig") != sig:
        lines.append(f"{evaluation / NAME}: sealed as {seal.get('sig')}, its arguments are {sig}")
    return lines


def check_table(folder: Path, evaluations: Path) -> list[str]:
    """Return what was changed since a table was written, one line each."""
    seal, lines = _read(folder / NAME)
    if seal is None:
        return lines
    present = tuple(sorted(p.name for p in folder.iterdir() if p.is_file() and p.name != NAME))
    lines += _changes(folder, seal.get("files", {}), hashes_in(folder, present))
    for sig, digest in seal.get("cells", {}).items():
        path = evaluations / sig / NAME
        if not path.is_file():
            lines.append(f"{path} is gone")
        elif hash_of(path) != digest:
            lines.append(f"{path}: the table was made of another evaluation")
    return lines


def differences(first: Path, second: Path) -> list[str]:
    """Return in what two runs of one experiment differ: evaluation, items, weights, history.

    Args:
        first, second: folders of the experiment.
    """
    lines = []
    for name in ("evaluation.json", "splits.csv"):
        one, other = (
            (f / name).read_bytes() if (f / name).exists() else b"" for f in (first, second)
        )
        if one != other:
            lines.append(f"{first / name}: another run has other values")
    names = {
        p.relative_to(f / BEST) for f in (first, second) for p in (f / BEST).rglob("*.safetensors")
    }
    for path in sorted(names):
        files = [f / BEST / path for f in (first, second)]
        if not all(p.is_file() for p in files) or hash_of(files[0]) != hash_of(files[1]):
            lines.append(f"{files[0]}: another run has other weights")
    return lines + _item_differences(first / "items.parquet", second / "items.parquet")


def _item_differences(first: Path, second: Path) -> list[str]:
    if first.exists() != second.exists():
        return [f"{first}: there in one of two runs"]
    if not first.exists():
        return []
    same = pd.read_parquet(first).equals(pd.read_parquet(second))
    return [] if same else [f"{first}: another run has other items"]
