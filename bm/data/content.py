"""Identity of recordings by content: the same files, the same samples, or the same signal cut out.

Exact copies are found by SHA-256, whatever they are called. Near-copies (another format, another
gain, a part cut out) are found by landmarks: on a few channels, the places where the signal
changes fastest within a tenth of a second, and the distances between them, which no gain and no cut
moves. What cannot be found in this way: copies that were filtered, resampled or referenced anew
between the two, a part of less than about a hundredth of a long recording, and recordings that
share no channel's samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from .signal import Signal

#: Seconds before and after a landmark in which nothing changes faster.
WIDTH_S = 0.1
#: Seconds over which a change is measured: shorter ones are the noise of 16-bit files.
LAG_S = 0.02
#: Distances between landmarks that are one key. Six have about 30 bits in noise of 100 Hz: two
#: recordings of an hour share less than one key by chance.
DISTANCES = 6
#: Channels that are looked at, and keys that are stored of a recording.
CHANNELS, KEYS = 8, 1024
#: Keys that must agree on the shift of one recording against the other before samples are compared.
AGREEING = 4
#: Copies in 16-bit formats correlate with the original by .999 and more; noise does not.
CORRELATION = 0.98
COMPARED_S, COMPARED = 2.0, 5  # length and number of the stretches that are compared


def _no_keys() -> np.ndarray:
    return np.empty(0, np.uint64)


def _no_times() -> np.ndarray:
    return np.empty(0, np.float32)


@dataclass(frozen=True)
class Content:
    """What a recording is, whatever it is called.

    Attributes:
        files: SHA-256 of the files that its signal was read from; empty when there is none.
        samples: SHA-256 of the preprocessed samples; empty when they were stored without.
        path: where it was read from, for messages.
        shift_s: time of the first preprocessed sample in the files.
        keys: (n,) uint64, of landmarks.
        times_s: (n,) float32, of the keys' first landmarks in the preprocessed signal.
    """

    files: str
    samples: str
    path: str
    shift_s: float = 0.0
    keys: np.ndarray = field(default_factory=_no_keys)
    times_s: np.ndarray = field(default_factory=_no_times)


@dataclass(frozen=True)
class Copy:
    """Two recordings of the same content, by their places in a list.

    Attributes:
        first, second: places.
        reason: in what they are the same.
        shift_s: seconds that the second begins after the first.
        near: found by comparing samples; the others are the same to the bit.
    """

    first: int
    second: int
    reason: str
    shift_s: float = 0.0
    near: bool = False


def hash_of_files(hashes: Sequence[str], part: str) -> str:
    """Return the identity of a recording that was read from files of such hashes, in any order.

    Args:
        hashes: SHA-256 of each file.
        part: which part of the files it is; empty = all.
    """
    if not hashes:
        return ""
    return hashlib.sha256("|".join([*sorted(hashes), part]).encode()).hexdigest()


def hash_of_samples(data: Tensor) -> str:
    """Return the SHA-256 of (T, C) float32 samples and their number of channels."""
    digest = hashlib.sha256(str(data.shape[1]).encode())
    for part in data.split(1 << 16):
        digest.update(np.ascontiguousarray(part.numpy(), "<f4").data)
    return digest.hexdigest()


def landmarks(
    data: Tensor, channels: Sequence[str], rate_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return keys (n,) uint64 of landmarks and their times (n,) in seconds, at most `KEYS`.

    Args:
        data: (T, C) samples.
        channels: C names; which of many are looked at depends on the names alone.
        rate_hz: sampling rate.
    """
    order = sorted(range(len(channels)), key=lambda i: _rank(channels[i]))[:CHANNELS]
    parts = [_keys_of(data[:, i].numpy(), rate_hz) for i in order]
    keys = np.concatenate([part[0] for part in parts])
    times = np.concatenate([part[1] for part in parts])
    bits = 0
    # Keys of few bits: those of a part that was cut out are chosen by the same rule.
    while np.count_nonzero(keys & np.uint64((1 << bits) - 1) == 0) > KEYS:
        bits += 1
    regular = keys & np.uint64((1 << bits) - 1) == 0
    return keys[regular], times[regular]


def _rank(name: str) -> str:
    return hashlib.sha256(name.strip().upper().encode()).hexdigest()


def _keys_of(x: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Return keys and times (s) of one channel, (T,)."""
    from scipy.ndimage import maximum_filter1d

    lag, width = max(1, round(LAG_S * rate_hz)), max(2, round(WIDTH_S * rate_hz))
    if len(x) <= lag + 2 * width:
        return _no_keys(), _no_times()
    # A difference knows no offset, its size no sign: neither gain nor polarity moves a landmark.
    change = np.abs(x[lag:] - x[:-lag])
    highest = maximum_filter1d(change, 2 * width + 1, mode="nearest")
    places = np.flatnonzero((change == highest) & (change > 0))
    places = places[(places >= width) & (places < len(change) - width)]
    # Equal heights side by side are a plateau, such as a saturated amplifier: no landmark.
    gaps = np.diff(places)
    alone = np.concatenate([[True], gaps > width]) & np.concatenate([gaps > width, [True]])
    places = places[alone[: len(places)]]
    distances = np.diff(places).astype(np.uint64)
    count = len(distances) - DISTANCES + 1
    if count < 1:
        return _no_keys(), _no_times()
    keys = np.zeros(count, np.uint64)
    for i in range(DISTANCES):  # FNV-1a, word by word
        keys = (keys ^ distances[i : i + count]) * np.uint64(0x100000001B3)
        keys ^= keys >> np.uint64(29)
    keys *= np.uint64(0x9E3779B97F4A7C15)
    keys ^= keys >> np.uint64(32)
    return keys, (places[:count] / rate_hz).astype(np.float32)


def shifted_pairs(contents: Sequence[Content]) -> Iterator[tuple[int, int, float]]:
    """Yield pairs of places that share landmarks, and how much later the second begins (s)."""
    owners = np.repeat(np.arange(len(contents)), [len(c.keys) for c in contents])
    keys = np.concatenate([c.keys for c in contents] or [_no_keys()])
    times = np.concatenate([c.times_s for c in contents] or [_no_times()]).astype(float)
    order = np.argsort(keys, kind="stable")
    keys, owners, times = keys[order], owners[order], times[order]
    candidates: dict[tuple[int, int], list[float]] = {}
    edges = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1], [True]]))
    several = np.flatnonzero(np.diff(edges) > 1)
    for first, last in zip(edges[several], edges[several + 1], strict=True):
        # A key in many recordings is a rhythm of the device, not of one recording.
        if len(set(owners[first:last].tolist())) > 8:
            continue
        for i in range(first, last):
            for j in range(i + 1, last):
                if owners[i] != owners[j]:
                    a, b = (i, j) if owners[i] < owners[j] else (j, i)
                    pair = candidates.setdefault((int(owners[a]), int(owners[b])), [])
                    pair.append(float(times[a] - times[b]))
    agreeing = {pair: shifts for pair, shifts in candidates.items() if len(shifts) >= AGREEING}
    for (one, other), shifts in sorted(agreeing.items()):
        shift = float(np.median(shifts))
        if sum(abs(value - shift) < LAG_S for value in shifts) >= AGREEING:
            yield one, other, shift


def find_copies(signals: Sequence[Signal]) -> list[Copy]:
    """Return the recordings that another one in the list is a copy or a part of.

    Of a recording and its exact copies each copy is named once, with the first; of near-copies all
    pairs are, because the second may overlap with the first and the third with the second alone.
    """
    copies, named = [], set()
    for name, reason in (("files", "the same file"), ("samples", "the same samples")):
        first: dict[str, int] = {}
        for place, signal in enumerate(signals):
            value = getattr(signal.content, name) if signal.content is not None else ""
            if not value or place in named:
                continue
            other = first.setdefault(value, place)
            if other != place:
                named.add(place)
                copies.append(Copy(other, place, reason))
    rest = [i for i in range(len(signals)) if i not in named and signals[i].content is not None]
    contents = [content for i in rest if (content := signals[i].content) is not None]
    for one, other, shift in shifted_pairs(contents):
        first_place, place = rest[one], rest[other]
        if is_same_stretch(signals[first_place], signals[place], shift):
            copies.append(Copy(first_place, place, "the same signal", shift, near=True))
    return sorted(copies, key=lambda copy: (copy.second, copy.first))


def is_same_stretch(one: Signal, other: Signal, shift_s: float) -> bool:
    """Return whether samples of two recordings go together where they overlap.

    Args:
        one, other: of one rate.
        shift_s: seconds that the second begins after the first.
    """
    if one.rate_hz != other.rate_hz:
        return False
    shift, length = round(shift_s * one.rate_hz), round(COMPARED_S * one.rate_hz)
    begin, end = max(0, shift), min(one.samples, other.samples + shift)
    length = min(length, end - begin)
    if length < 2:
        return False
    pairs = _shared_channels(one.channels, other.channels)
    values, best = [], []
    for start in np.linspace(begin, end - length, COMPARED).astype(int).tolist():
        x = _unit(one.rows(start, length).numpy().astype(float))
        y = _unit(other.rows(start - shift, length).numpy().astype(float))
        size = np.abs(x.T @ y)
        values += [size[i, j] for i, j in pairs if size[i].any() and size[:, j].any()]
        # Names may have been given to other channels: each has the same partner throughout then.
        best.append(np.where(size.max(1) >= CORRELATION, size.argmax(1), -1))
    partners = np.array(best)
    constant = (partners == partners[0]).all(0) & (partners[0] >= 0)
    if constant.sum() * 2 > min(len(one.channels), len(other.channels)):
        return True
    return bool(values) and float(np.median(values)) >= CORRELATION


def _unit(x: np.ndarray) -> np.ndarray:
    """Return (T, C) less the mean over its norm of each channel; zero where nothing changes."""
    x = x - x.mean(0)
    norms = np.sqrt((x**2).sum(0))
    return x / np.where(norms > 0, norms, 1.0)


def _shared_channels(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of channels of one name, else of channels in the same order."""
    places = {name.upper(): i for i, name in enumerate(other)}
    pairs = [(i, places[n.upper()]) for i, n in enumerate(one) if n.upper() in places]
    return pairs or [(i, i) for i in range(min(len(one), len(other)))]
