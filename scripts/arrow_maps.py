"""`python -m scripts.arrow_maps from=FOLDER shape=[22,32,64] dtype=float64 to=FILE.h5` or
`python -m scripts.arrow_maps solver=eegdiff/bciiv_mel to=FOLDER`.

Reads the Arrow folders of maps of Brain-Diffusion into one HDF5 file (a group per split, `images`
and the columns), or writes the maps of a configuration's windows as such a folder: mel maps in dB
below the loudest value, STFT magnitudes, band powers of words. Shape and type are written beside
the maps; the original's own folders do not say them.

  from=FOLDER     with dataset_dict.json
  shape=[C,T,F]   of an image, where the folder does not say it
  dtype=float64   float64 (mel of BCI IV, feature maps), float32 (mel of ZuCo), complex64 (STFT)
  to=             file or folder to write

  python -m scripts.arrow_maps from=maps shape=[22,32,64] to=maps.h5
  python -m scripts.arrow_maps solver=eegdiff/bciiv_mel to=maps
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bm.errors import UserError

from ._arguments import main_of

ARGUMENTS = ("source", "shape", "dtype", "to")


def command(
    source: str | None = None,
    shape: Sequence[str] | None = None,
    dtype: str | None = None,
    to: str | None = None,
    overrides: Sequence[str] = (),
) -> int:
    """Read or write Arrow folders; print how many images each split has."""
    if to is None or (source is None) == (not overrides):
        raise UserError("use from=FOLDER to=FILE.h5, or solver=eegdiff/bciiv_mel to=FOLDER")
    if source is not None:
        try:
            sizes = None if shape is None else [int(side) for side in shape]
        except ValueError:
            raise UserError(f"shape={shape}: whole numbers, such as [22,32,64]") from None
        counts = _import(Path(source), sizes, dtype, Path(to))
    else:
        counts = _export(overrides, Path(to))
    for split, count in counts.items():
        print(f"{split}: {count} images")
    print(f"written: {to}")
    return 0


def _import(source: Path, shape: list[int] | None, dtype: str | None, to: Path) -> dict[str, int]:
    import h5py

    from bm.readers.arrow_maps import read_maps
    from bm.writing import replacing

    splits = read_maps(source, shape, dtype)
    with replacing(to) as aside, h5py.File(aside, "w") as file:
        for name, split in splits.items():
            group = file.create_group(name)
            group["images"] = split.images
            for column, values in split.columns.items():
                # HDF5 has no null, and `label` is null in every row of the ZuCo folders.
                if all(value is None for value in values):
                    continue
                texts = h5py.string_dtype() if isinstance(values[0], str) else None
                group.create_dataset(column, data=values, dtype=texts)
    return {name: len(split.images) for name, split in splits.items()}


def _export(overrides: Sequence[str], to: Path) -> dict[str, int]:
    from bm.readers.arrow_maps import MapSplit, write_maps
    from bm.solvers.build_data import batches_of, windows_of
    from bm.solvers.published_maps import published_maps, representation_for
    from bm.train import main
    from bm.xp.resolve import to_plain

    config = main.resolve(list(overrides)).cfg
    dataset = windows_of(config)
    section = to_plain(config.model.representation)
    representation = representation_for(section, dataset.facts)
    splits: dict[str, Any] = {}
    for split in ("train", "valid", "test"):
        rows = dataset.rows(split)
        if len(rows):
            parts = [
                published_maps(representation, b.signal) for b in batches_of(dataset, rows, 32)
            ]
            subjects = dataset.table["subject"].to_numpy()[rows].tolist()
            labels = dataset.table["label"].to_numpy(int)[rows].tolist()
            import numpy as np

            columns = {"label": labels, "subjects": subjects}
            # Brain-Diffusion calls the validation split `dev`.
            splits["dev" if split == "valid" else split] = MapSplit(np.concatenate(parts), columns)
    write_maps(to, splits, {"representation": section, "data": dataset.hash})
    return {name: len(split.images) for name, split in splits.items()}


def _words() -> tuple[list[str], list[str]]:
    """Return the arguments of the command, and the overrides of the configuration."""
    # `from` is a keyword of Python and cannot name a parameter of `command`.
    words = [w.replace("from=", "source=", 1) if w.startswith("from=") else w for w in sys.argv[1:]]
    arguments = [w for w in words if "=" not in w or w.partition("=")[0] in ARGUMENTS]
    return arguments, [w for w in words if w not in arguments]


if __name__ == "__main__":
    mine, others = _words()
    sys.exit(main_of(command, mine, overrides=others))
