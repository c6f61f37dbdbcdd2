"""Arrow folders of maps, as Brain-Diffusion keeps them: a folder a split, bytes of an image a row.

The files are those of the `datasets` library, which is not needed. They say neither shape nor type
of an image; what we write says both in `dataset_info.json`, and what we read is held to the size.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RecordingError, UserError
from ..writing import replacing_folder

INDEX, INFO, STATE = "dataset_dict.json", "dataset_info.json", "state.json"
MAPS = "bm_maps"  # entry of the info with shape, type and what the maps were made of
#: Columns of rows beside the image, with their types in Arrow.
COLUMNS = {
    # in Brain-Diffusion's BCI maps the number of the person, no class; null in ZuCo's
    "label": "int16",
    "subjects": "string",
    "eeg_type": "string",
    "seq_len": "int64",
    "input_masks": "list<float32>",
    "input_mask_invert": "list<float32>",
    "target_ids": "list<int64>",
    "target_mask": "list<int64>",
}
# 330 MB at once of the largest published maps: 105 x 96 x 64 values of 8 bytes
ROWS_PER_BATCH = 64


@dataclass(frozen=True)
class MapSplit:
    """Images of a split.

    Attributes:
        images: (N, *shape), of the type in the file.
        columns: name -> N values.
    """

    images: np.ndarray
    columns: Mapping[str, list[Any]] = field(default_factory=dict)


def read_maps(
    folder: Path, shape: Sequence[int] | None = None, dtype: str | None = None
) -> dict[str, MapSplit]:
    """Read all splits of a folder.

    Args:
        folder: with `dataset_dict.json`.
        shape: of an image; None = as the folder says.
        dtype: of its values, such as float64; None = as the folder says. Complex STFT of the
            original are complex64, which it reads as float64: sizes match, values do not.

    Raises:
        RecordingError: no such folder, damaged files, or images of another size.
        UserError: shape or type that nothing says.
    """
    folder = Path(folder)
    splits = _json(folder / INDEX).get("splits", [])
    return {str(name): _read_split(folder / str(name), shape, dtype) for name in splits}


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        reason = f"no Arrow folder of maps ({error})"
        raise RecordingError(path, reason, "name the folder with dataset_dict.json") from None


def _read_split(folder: Path, shape: Sequence[int] | None, dtype: str | None) -> MapSplit:
    described = _json(folder / INFO).get(MAPS, {})
    shape, dtype = shape or described.get("shape"), dtype or described.get("dtype")
    if shape is None or dtype is None:
        raise UserError(
            f"{folder}: the files of the original say neither shape nor type of an image; give "
            "shape=[22,32,64] and dtype=float64"
        )
    try:
        kind = np.dtype(dtype)
    except TypeError:
        raise UserError(
            f"dtype={dtype}: no type of numbers; use float32, float64 or complex64"
        ) from None
    images, columns = [], dict[str, list[Any]]()
    names = [str(entry["filename"]) for entry in _json(folder / STATE).get("_data_files", [])]
    for name in names:
        # the last part alone: a path in state.json must not lead out of the folder
        for row in _rows(folder / Path(name).name):
            images.append(_image(folder / name, row.pop("image", None), tuple(shape), kind))
            for key, value in row.items():
                columns.setdefault(key, []).append(value)
    whole = np.stack(images) if images else np.zeros((0, *shape), kind)
    return MapSplit(whole, columns)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file, which is a stream of Arrow."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                yield from batch.to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise RecordingError(path, f"damaged ({error})", "write the folder again") from None


def _image(path: Path, value: object, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    content = value.get("bytes") if isinstance(value, dict) else value
    size = math.prod(shape) * kind.itemsize
    if not isinstance(content, bytes) or len(content) != size:
        held = f"{len(content)} bytes" if isinstance(content, bytes) else "no bytes"
        reason = f"an image has {held}, {shape} of {kind} are {size}"
        raise RecordingError(path, reason, "give the shape and type of its images")
    return np.frombuffer(content, kind).reshape(shape)


def write_maps(folder: Path, splits: Mapping[str, MapSplit], about: Mapping[str, Any]) -> None:
    """Write splits as an Arrow folder that the original reads too; it is whole or absent.

    Args:
        folder: new, or replaced.
        splits: by name.
        about: how the maps were made, plain values, kept beside them.

    Raises:
        UserError: columns that the format does not have.
    """
    with replacing_folder(Path(folder)) as aside:
        (aside / INDEX).write_text(json.dumps({"splits": list(splits)}))
        for name, split in splits.items():
            _write_split(aside / name, name, split, about)


def _write_split(folder: Path, name: str, split: MapSplit, about: Mapping[str, Any]) -> None:
    import pyarrow as pa

    unknown = set(split.columns) - set(COLUMNS)
    if unknown:
        raise UserError(f"Arrow maps have no column {sorted(unknown)[0]!r}")
    folder.mkdir(parents=True)
    types = {key: _arrow_type(pa, kind) for key, kind in COLUMNS.items() if key in split.columns}
    schema = pa.schema([("image", pa.binary()), *types.items()])
    file = "data-00000-of-00001.arrow"
    with pa.OSFile(str(folder / file), "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
        for first in range(0, len(split.images), ROWS_PER_BATCH):
            rows = slice(first, first + ROWS_PER_BATCH)
            arrays = [pa.array([one.tobytes() for one in split.images[rows]], pa.binary())]
            arrays += [pa.array(split.columns[key][rows], kind) for key, kind in types.items()]
            stream.write_batch(pa.record_batch(arrays, schema=schema))
    maps = {"shape": list(split.images.shape[1:]), "dtype": str(split.images.dtype), **about}
    features = {"image": {"dtype": "binary", "_type": "Value"}}
    for key in types:
        kind = COLUMNS[key]
        single = {"dtype": kind.removeprefix("list<").removesuffix(">"), "_type": "Value"}
        features[key] = {"feature": single, "_type": "Sequence"} if "<" in kind else single  # type: ignore[dict-item]
    state: dict[str, Any] = {
        "_data_files": [{"filename": file}],
        "_fingerprint": "bm",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": name,
    }
    (folder / INFO).write_text(json.dumps({"features": features, MAPS: maps}))
    (folder / STATE).write_text(json.dumps(state))


def _arrow_type(pa: Any, name: str) -> Any:
    """Return the type of Arrow that a column has."""
    if name.startswith("list<"):
        return pa.list_(_arrow_type(pa, name[5:-1]))
    return getattr(pa, name)()
