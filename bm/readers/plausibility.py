"""Plausibility of samples: NaN, wrong units, flat and doubled channels.

A file that opens is not yet a recording. NaN, a wrong unit or mostly dead channels are errors;
single flat or doubled channels are marked in `info["bads"]` and named in the log.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import RecordingError

if TYPE_CHECKING:
    import mne

logger = logging.getLogger(__name__)
#: Smallest and largest believable standard deviation over `BLOCK_S` (V, T). A signal of 20 uV that
#: is a thousand times too large or small falls outside.
LIMITS = {
    "eeg": (1e-7, 5e-3),
    "seeg": (1e-7, 2e-2),
    "ecog": (1e-7, 2e-2),
    "meg": (1e-15, 1e-9),
}
WORDS = {
    "flat": "flat",
    "doubled": "a copy of another",
    "far": "far from the unit",
    "stepped": "constant for many samples at a time",
}
#: Share of samples that differ from the one before, below which a channel holds steps. EEG that is
#: stored with coarse steps of 1 uV still changes at nearly every second sample.
STEPPED = 0.05
#: A channel has levels when gaps of this share of its range part its values, and nine tenths of
#: each level are narrower than that; levels hold this share of the samples at least. Labels and
#: triggers with noise on them are such.
GAP, LEVEL = 0.1, 0.01
#: Share of samples that differ from the one before, above which so few values are coarse steps.
HOPS, FEW = 0.3, 20
#: Samples of a channel, spread over the recording, that levels are looked for in.
LEVEL_SAMPLES = 20_000
#: Rounding of stored samples over their standard deviation, above which a channel is not usable.
COARSE = 0.01
#: Share of steps that are the same, not zero: a clock or a counter.
REGULAR = 0.9
UNIT = {"meg": ("T", 1e15, "fT")}
BLOCK_S = 10.0
#: Samples that are in memory at once: 64 channels x 60 s x 1 kHz x 8 bytes = 31 MB.
BLOCK_VALUES = 4_000_000


@dataclass(frozen=True)
class Findings:
    """Names of channels that are not as EEG or MEG is.

    Attributes:
        flat: constant for more than half of the time.
        doubled: copies of another.
        far: far from the unit.
        stepped: hold values over many samples, as labels do.
        labels: stepped, levelled or counting channels among those that may be no electrode.
    """

    flat: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    far: tuple[str, ...] = ()
    stepped: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


def preflight(
    raw: mne.io.BaseRaw, path: str | Path, kind: str, suspects: Sequence[str] = ()
) -> Findings:
    """Check every sample once, in blocks.

    Args:
        raw: only its data channels, SI units.
        path: for messages.
        kind: eeg, meg, seeg or ecog.
        suspects: channels that may be no electrode.

    Raises:
        RecordingError: a NaN or infinite sample; more than half of the channels flat; amplitudes
            far from the unit.
    """
    scan = _scan(raw, path)
    spread, sums, names = scan.spread, scan.sums, np.array(raw.ch_names)
    doubtful = np.isin(names, list(suspects))
    # Sensors of MEG may have coarse steps: 12 bits of KIT.
    stepped = (scan.changes <= STEPPED) & ~scan.constant & (kind != "meg")
    # A reset of the amplifier, or trials with offsets of their own, move most channels at once.
    levelled = scan.levelled & (scan.levelled.sum() * 2 <= len(names))
    labels = doubtful & (stepped | scan.counting | levelled)
    if labels.all():
        return Findings(labels=tuple(names))
    flat = (spread == 0) & ~labels
    if flat.sum() * 2 > len(names):
        raise RecordingError(
            path, f"{flat.sum()} of {len(names)} channels are flat", "leave it out"
        )
    low, high = LIMITS[kind]
    middle = float(np.median(spread[~flat & ~labels]))
    symbol, factor, shown = UNIT.get(kind, ("V", 1e6, "uV"))
    if not low <= middle <= high:
        raise RecordingError(
            path,
            f"median standard deviation {middle:.3g} {symbol} ({middle * factor:.3g} {shown}) is "
            f"no {kind.upper()}",
            "give the study's `unit` or `types`",
        )
    stepped &= ~flat & ~labels
    # Stored samples have 24 bits: those of a few microvolts on ten volts are lost.
    coarse = scan.level * 2.0**-24 > COARSE * spread
    far = ~flat & ~labels & ~stepped & ((spread < low) | (spread > high) | coarse)
    first: dict[int, int] = {}
    doubled = [i for i, key in enumerate(sums) if not flat[i] and first.setdefault(key, i) != i]
    return Findings(
        flat=tuple(names[flat]),
        doubled=tuple(names[[i for i in doubled if not labels[i]]]),
        far=tuple(names[far]),
        stepped=tuple(names[stepped]),
        labels=tuple(names[labels]),
    )


@dataclass(frozen=True)
class Scan:
    """What one look at every sample tells of each channel.

    Attributes:
        spread: (C,) median standard deviation over blocks; the median keeps single spikes from
            looking like a wrong unit. Zero for constant channels.
        sums: C checksums.
        constant: (C,) one value only.
        changes: (C,) share of samples that differ from the one before.
        counting: (C,) the first block goes by equal steps.
        levelled: (C,) values lie on a few levels apart, whatever noise is on them.
        level: (C,) distance of all samples from zero, at least.
    """

    spread: np.ndarray
    sums: list[int]
    constant: np.ndarray
    changes: np.ndarray
    counting: np.ndarray
    levelled: np.ndarray
    level: np.ndarray


def _scan(raw: mne.io.BaseRaw, path: str | Path) -> Scan:
    rate = float(raw.info["sfreq"])
    block = max(2, min(round(BLOCK_S * rate), BLOCK_VALUES // max(1, len(raw.ch_names))))
    # Copies are told by a checksum: comparing samples would need them all in memory.
    sums = [0] * len(raw.ch_names)
    ranges, spreads, some = [], [], []
    stride = max(1, raw.n_times // LEVEL_SAMPLES)
    changes, counting = np.zeros(len(raw.ch_names)), np.zeros(len(raw.ch_names), bool)
    for start in range(0, raw.n_times, block):
        stop = min(start + block, raw.n_times)
        data = raw.get_data(start=start, stop=stop)
        bad = ~np.isfinite(data)
        if bad.any():
            channel, sample = np.argwhere(bad)[0]
            raise RecordingError(
                path,
                f"channel {raw.ch_names[channel]} is not a number at "
                f"{(start + sample) / rate:.3f} s ({bad.sum()} samples in this block)",
                "cut or repair it, or name the channel in the study's `exclude`",
            )
        data = np.ascontiguousarray(data)
        sums = [zlib.crc32(row.tobytes(), before) for row, before in zip(data, sums, strict=True)]
        spreads.append(data.std(1))
        changes += (data[:, 1:] != data[:, :-1]).sum(1)
        if start == 0:
            counting = np.array([counts(row) for row in data])
        ranges.append((data.min(1), data.max(1)))
        some.append(data[:, ::stride])
    lows, highs = (np.array(values) for values in zip(*ranges, strict=True))
    spread = np.median(spreads, axis=0)
    constant = lows.min(0) == highs.max(0)
    # Flat for more than half of the time is a median of zero, and flat too.
    share = changes / max(1, raw.n_times - 1)
    rows = np.concatenate(some, axis=1)
    # A few microvolts in steps of one are levels too, but hop between them all the time.
    steady = (share <= HOPS) | np.array([len(np.unique(row)) > FEW for row in rows])
    levelled = steady & np.array([has_levels(row) for row in rows])
    level = np.maximum(0.0, np.maximum(lows.min(0), -highs.max(0)))
    spread = np.where(constant, 0.0, spread)
    return Scan(spread, sums, constant, share, counting, levelled, level)


def has_levels(values: np.ndarray) -> bool:
    """Return whether values lie on a few narrow levels with nothing between.

    >>> has_levels(np.r_[np.linspace(0, 0.1, 50), np.linspace(4, 4.1, 50)])
    True
    >>> has_levels(np.linspace(0, 4, 100) ** 2)
    False
    """
    ordered = np.sort(values)
    span = ordered[-1] - ordered[0]
    edges = np.flatnonzero(np.diff(ordered) > GAP * span) if span > 0 else np.empty(0, int)
    if not len(edges):
        return False
    levels = np.split(ordered, edges + 1)
    # Single samples far from all others are artefacts, not levels.
    levels = [level for level in levels if len(level) >= LEVEL * len(ordered)]
    narrow = all(np.subtract(*np.percentile(x, [95, 5])) <= GAP * span for x in levels)
    return len(levels) > 1 and narrow


def counts(values: np.ndarray) -> bool:
    """Return whether values go by equal steps nearly everywhere, as those of a clock."""
    steps = np.diff(values)
    if not len(steps) or not np.isfinite(steps).all():
        return False
    middle = float(np.median(steps))
    # In tesla everything is within NumPy's absolute tolerance of 1e-8.
    same = np.isclose(steps, middle, rtol=1e-3, atol=0.0)
    return middle != 0 and float(same.mean()) >= REGULAR


def mark(raw: mne.io.BaseRaw, findings: Findings, path: str | Path, action: str) -> None:
    """Write findings to `info["bads"]` and the log.

    Raises:
        RecordingError: there are any, and `action` is `error`.
    """
    for what, word in WORDS.items():
        names = getattr(findings, what)
        if not names:
            continue
        line = f"{len(names)} channels are {word}: {', '.join(names[:8])}"
        if action == "error":
            raise RecordingError(path, line, "name them in the study's `exclude`, or mark them")
        logger.warning("%s: %s; marked as bad", path, line)
        raw.info["bads"] = [*raw.info["bads"], *(n for n in names if n not in raw.info["bads"])]
