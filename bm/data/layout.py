"""Sensor layout: where channels lie on the flat head, from 0 to 1 along both axes.

The spatial attention of speech decoding (Défossez et al. 2023) takes such positions:
those of the layout that MNE chooses for a recording.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import mne
import numpy as np

#: Both coordinates of a channel that is not in the layout; models leave it out.
INVALID = -0.1
#: Of CTF: `MLC11-2908` is sensor MLC11 of the system 2908.
SUFFIX = re.compile(r"-[^-]*$")


def place(names: Sequence[str], layout: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """Return the positions of channels in a layout.

    A name is looked up as it is, then without what follows its last hyphen. Each axis is stretched
    to [0, 1] over the channels in it; one without extent becomes 0.5.

    Args:
        names: C channels.
        layout: x and y of sensors by name, in any scale.

    Returns:
        (C, 2) float32, `INVALID` twice where a channel is not in the layout.
    """
    keys = [name if name in layout else SUFFIX.sub("", name) for name in names]
    rows = [i for i, key in enumerate(keys) if key in layout]
    placed = np.full((len(names), 2), INVALID, dtype=np.float32)
    if not rows:
        return placed
    points = np.array([layout[keys[i]] for i in rows], dtype=float)
    low, extent = points.min(0), np.ptp(points, axis=0)
    flat = extent < 1e-12
    placed[rows] = np.where(flat, 0.5, (points - low) / np.where(flat, 1.0, extent))
    return placed


def find_layout(info: mne.Info) -> dict[str, tuple[float, float]]:
    """Return the layout that MNE chooses with its default arguments: x and y by name.

    EEG: the electrodes' places rolled flat. MEG: the drawing of the system that the sensors tell.
    Channels without a place and channels marked bad are not in it.

    Raises:
        ValueError: two electrodes at one place, or a MEG system that MNE does not recognise.
    """
    places = np.array([channel["loc"][:3] for channel in info["chs"]], dtype=float)
    # MNE would take a channel without a place for one in the middle of the head.
    located = np.flatnonzero(np.isfinite(places).all(1) & (places != 0).any(1))
    if len(located) == 0:
        return {}
    try:
        layout = mne.channels.find_layout(mne.pick_info(info, located, verbose="error"))
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    return {
        name: (float(x), float(y))
        for name, (x, y) in zip(layout.names, layout.pos[:, :2], strict=True)
    }


def sensor_layout(info: mne.Info) -> np.ndarray:
    """Return the positions of a recording's channels in its layout: (C, 2) float32, see `place`.

    Raises:
        ValueError: no layout, or no channel in it, with the reason.
    """
    placed = place(info["ch_names"], find_layout(info))
    if (placed == INVALID).all():
        raise ValueError("no channel has a place in a sensor layout")
    return placed
