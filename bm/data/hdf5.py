"""Numbers of an HDF5 file that lie in it: a link may lead to any other file of the machine."""

from __future__ import annotations

import h5py

from ..errors import RecordingError

REMEDY = "copy the numbers into the file itself, or leave it out"


def dataset_of(file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return a dataset by its path within an open file; None when there is none.

    Args:
        file: open.
        name: of the dataset, parts separated by `/`.

    Raises:
        RecordingError: it, or a group above it, is a link to another file; its bytes are kept in
            another file (external storage), or put together from others (a virtual dataset).
    """
    place: h5py.Group = file
    parts = [part for part in name.split("/") if part]
    for number, part in enumerate(parts):
        if isinstance(place.get(part, getlink=True), h5py.ExternalLink):
            raise _outside(file, name, "a link to another file")
        item = place.get(part)
        if item is None:
            return None
        # a link within the file may lead to a link out of it
        if h5py.h5o.get_info(item.id).fileno != h5py.h5o.get_info(file.id).fileno:
            raise _outside(file, name, "a link that leaves the file")
        if number < len(parts) - 1:
            if not isinstance(item, h5py.Group):
                return None
            place = item
    if not isinstance(item, h5py.Dataset):
        return None
    if item.external:
        raise _outside(file, name, "kept in another file (external storage)")
    if item.is_virtual:
        raise _outside(file, name, "put together from other files (a virtual dataset)")
    return item


def place_of(file: h5py.h5f.FileID, name: str) -> tuple[int, tuple[int, ...]] | None:
    """Return the first byte and the shape of a dataset at the root of a file, else None.

    None for all that is no plain dataset of one piece; `dataset_of` says what it is. Asked by the
    low-level calls, which take a fifth of the time: every recording is asked at every start.
    """
    key = name.encode()
    if not file.links.exists(key) or file.links.get_info(key).type != h5py.h5l.TYPE_HARD:
        return None
    item = h5py.h5o.open(file, key)
    if not isinstance(item, h5py.h5d.DatasetID):
        return None
    layout = item.get_create_plist()
    if layout.get_layout() != h5py.h5d.CONTIGUOUS or layout.get_external_count():
        return None
    offset = item.get_offset()
    return None if offset is None else (offset, item.shape)


def _outside(file: h5py.File, name: str, reason: str) -> RecordingError:
    return RecordingError(file.filename, f"{name} is {reason}, which is not followed", REMEDY)
