"""Export of sealed results as an RO-Crate 1.1: a folder whose metadata say what each file is.

Source: Soiland-Reyes et al. 2022, Data Science 5, 97; https://w3id.org/ro/crate/1.1.
"""

from __future__ import annotations

import datetime
import mimetypes
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..writing import replacing_folder
from ..xp.files import read_or_warn, write_json
from .experiments import Experiment
from .seal import FILES, NAME, hash_of

METADATA = "ro-crate-metadata.json"
PROFILE = "https://w3id.org/ro/crate/1.1"
LICENCE = "https://spdx.org/licenses/MIT"


def write_crate(
    folder: Path, name: str, experiments: Sequence[Experiment], outputs: Path, table: Path
) -> Path:
    """Write evaluations, what they depend on and the table into a new folder; return its metadata.

    Args:
        folder: new, or empty.
        name: of the grid.
        experiments: finished ones.
        outputs: folder with `eval`.
        table: folder of the grid's table, which may be absent.

    Raises:
        UserError: the folder has something in it.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"crate={folder}: not empty; name a new folder")
    with replacing_folder(folder) as aside:
        for e in experiments:
            # Weights (folder `best`) stay behind; the seal has their hashes.
            _copy(e.folder, aside / "cells" / e.sig / "experiment", FILES)
            _copy(outputs / "eval" / e.sig, aside / "cells" / e.sig / "evaluation", None)
        if table.exists():
            _copy(table, aside / "table", None)
        write_json(aside / METADATA, metadata(aside, name, experiments))
    return folder / METADATA


def _copy(source: Path, target: Path, names: Sequence[str] | None) -> None:
    """Copy the files of a folder, all of them or those named."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        if path.is_file() and (names is None or path.name in names):
            shutil.copyfile(path, target / path.name)


def metadata(folder: Path, name: str, experiments: Sequence[Experiment]) -> dict[str, Any]:
    """Return the JSON-LD of a crate: its files with sizes and hashes, and how each cell was made.

    Args:
        folder: of the crate, filled.
        name: of the grid.
        experiments: behind the cells.
    """
    # The metadata cannot state their hash, as that would change them.
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != METADATA]
    entities = [_file(path, folder) for path in files]
    actions = [_action(e, folder) for e in experiments]
    simulated = any(e.simulated for e in experiments)
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Results of {name}",
        "description": "Sealed evaluations of experiments, their splits and tables."
        + (" Simulated data: made from equations, no recording." if simulated else ""),
        # RO-Crate asks for ISO 8601, precise to the day at least.
        "datePublished": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "license": {"@id": LICENCE},
        "hasPart": [{"@id": entity["@id"]} for entity in entities],
        "mentions": [{"@id": action["@id"]} for action in actions],
    }
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": PROFILE},
        "about": {"@id": "./"},
    }
    return {
        "@context": f"{PROFILE}/context",
        "@graph": [descriptor, root, *entities, *actions],
    }


def _file(path: Path, folder: Path) -> dict[str, Any]:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {
        "@id": path.relative_to(folder).as_posix(),
        "@type": "File",
        "name": path.name,
        # Bytes, as text: schema.org defines this property as text, not as a number.
        "contentSize": str(path.stat().st_size),
        "encodingFormat": kind,
        "sha256": hash_of(path),
    }


def _action(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Return how an experiment was made: its name, commit and data, and the files it gave."""
    cell = folder / "cells" / experiment.sig
    seal = read_or_warn(cell / "evaluation" / NAME) or {}
    results = [p for p in sorted(cell.rglob("*")) if p.is_file()]
    return {
        "@id": f"#{experiment.sig}",
        "@type": "CreateAction",
        "name": experiment.name or experiment.sig,
        "description": f"signature {experiment.sig}, commit {seal.get('commit')}, "
        f"data {seal.get('data_hash')}, seal {seal.get('digest')}",
        "result": [{"@id": p.relative_to(folder).as_posix()} for p in results],
    }
