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


def _outside(file: h5py.File, name: str, reason: str) -> RecordingError:
    return RecordingError(file.filename, f"{name} is {reason}, which is not followed", REMEDY)
