"""`python -m scripts.import_checkpoint family=labram path=FILE [to=FOLDER] [partial=true]`.

Reads a checkpoint of a published implementation without running code from it and writes it as a
saved model, which `init_from=//file/FOLDER` (or tokenizer=, encoder=) then takes. Prints the
outcome of every tensor: matched, missing, unexpected, of another shape. Without `to` the folder is
BM_MODELS (./models)/FAMILY/NAME. `partial=true` keeps what fits; `n_heads=N` where no tensor shows
it.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from bm.errors import UserError
from bm.registry import check_known

from ._arguments import main_of

#: family -> module with `import_published` and `published_facts`
FAMILIES = {"labram": "bm.models.labram.importing"}
SHOWN = 40  # names of a kind that are printed


def command(
    family: str | None = None,
    path: str | None = None,
    to: str | None = None,
    partial: bool = False,
    n_heads: int = 0,
) -> int:
    """Import one file."""
    from bm.models import save

    if family is None or path is None:
        raise UserError("which file? use: family=labram path=labram-base.pth")
    check_known("family", family, FAMILIES)
    source = Path(path).expanduser()
    # By name: the networks of one family are enough to import its file.
    importer = importlib.import_module(FAMILIES[family])
    imported = importer.import_published(source, partial, n_heads or None)
    print(f"{source}: {imported.module.bm_arguments['name']}")
    for key, words in imported.others.items():
        print(f"  {key}: {words} (not used)")
    for outcome in ("matched", "missing", "unexpected", "wrong_shape"):
        names = getattr(imported.report, outcome)
        listed = "" if outcome == "matched" else f": {', '.join(names[:SHOWN])}" * bool(names)
        print(f"  {len(names)} {outcome.replace('_', ' ')}{listed}")
    folder = Path(to) if to else _folder(family, source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    save(imported.module, folder, importer.published_facts(imported.module))
    print(f"written: {folder}; use it as //file/{folder}")
    return 0


def _folder(family: str, source: Path) -> Path:
    return Path(os.environ.get("BM_MODELS", "models")) / family / source.stem


if __name__ == "__main__":
    sys.exit(main_of(command))
