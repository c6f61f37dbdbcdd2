"""The recipe of windows: what a saved model must know to make its input of any recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .scale import Scaler

#: Keys of `dset` that decide what a window holds, but for which recordings it is of.
KEYS = ("preprocess", "rate_hz", "positions", "bads", "keep_bad", "segment", "scale")
#: Kinds of scaling with statistics for each recording.
BY_RECORDING = ("robust", "robust_windows")


def window_recipe(
    dset: Mapping[str, Any], scaler: Scaler, recordings: Sequence[str]
) -> dict[str, Any]:
    """Return plain values from which `bm.Predictor` makes windows as training had them.

    Args:
        dset: plain section of the configuration.
        scaler: fitted.
        recordings: names, in the order of the scaler's statistics.
    """
    recipe = {key: dset[key] for key in KEYS if key in dset}
    if scaler.kind in BY_RECORDING:
        pairs = zip(scaler.centres, scaler.scales, strict=True)
        recipe["statistics"] = {
            name: {"centre": centre.tolist(), "scale": scale.tolist()}
            for name, (centre, scale) in zip(recordings, pairs, strict=True)
        }
    return recipe
