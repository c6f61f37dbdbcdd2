"""Batched gather: many windows of memory-mapped recordings in one block."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from .signal import Signal

try:  # compiled where there is a compiler when the package is installed
    from ._windows import write_plain
except ImportError:
    write_plain = None

#: Bytes of a block from which on it is written past the processor's caches: before the pool gives
#: it again, its other blocks have driven it out of them.
STREAMED = 4 << 20
#: References to a free block: of the pool, of a local name and of the call that counts them.
UNUSED = 3


class BlockPool:
    """Blocks of memory used again once nobody holds a tensor, or a view of one, over them.

    New memory costs a page fault per 4 KiB, as much as the gather itself (measured: 22,600 against
    13,700 windows/s of 131 kB).

    Args:
        size: blocks of the pool; 5 = those of the prefetch queue, one being filled, one in use.
    """

    def __init__(self, size: int = 5) -> None:
        self.size = size
        self._blocks: list[np.ndarray] = []
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return an uninitialised tensor whose memory no other living tensor has."""
        count = math.prod(shape) * dtype.itemsize
        with self._lock:
            for index in range(len(self._blocks)):
                block = self._blocks[index]
                if len(block) >= count and sys.getrefcount(block) == UNUSED:
                    return torch.from_numpy(block)[:count].view(dtype).view(shape)
            # From torch, whose memory is aligned to 64 bytes; from NumPy to 16 only.
            block = torch.empty(count, dtype=torch.uint8).numpy()
            self._blocks = [*self._blocks, block][-self.size :]
            return torch.from_numpy(block)[:count].view(dtype).view(shape)


#: (source, place, recording, streams), (T, C) each; writes a finished window to `place`, past the
#: caches if it `streams`.
Write = Callable[[np.ndarray, np.ndarray, int, bool], object]


def plain_samples(signal: Signal) -> np.ndarray | None:
    """Return (T, C) samples of a recording that is served as it is stored, else None."""
    data = signal.data
    plain = signal.columns is None and not signal.empty and data.is_contiguous()
    return data.numpy() if plain and data.dtype == torch.float32 else None


def gather_windows(
    signals: Sequence[Signal],
    recordings: np.ndarray,
    starts: np.ndarray,
    length: int,
    finish: Callable[[Tensor, int], object] | None = None,
    pool: BlockPool | None = None,
    write: Write | None = None,
) -> Tensor:
    """Copy windows of recordings into one block.

    Args:
        signals: those named have the same number C of channels. Memory-mapped ones are read here
            and nowhere else.
        recordings: (B,) index of each window's recording.
        starts: (B,) first sample. Samples outside a recording wrap around to its other end (the
            published TUEV windows of LaBraM, which join three copies of a recording).
        length: samples of every window.
        finish: called with each window (length, C) and its recording, to change it in place
            (scaling) while it is still in the processor's cache.
        pool: where the block comes from; None = new memory.
        write: does what `finish` would while it copies a window that lies in one piece.

    Returns:
        (B, length, C).
    """
    first = signals[int(recordings[0])]
    shape, dtype = (len(recordings), length, len(first.channels)), first.data.dtype
    out = torch.empty(shape, dtype=dtype) if pool is None else pool.take(shape, dtype)
    # One copy of a contiguous row range per window is a single memcpy: measured faster than
    # index_select on a flat view, which computes an address per sample. NumPy's copy needs a third
    # of the time that PyTorch takes to begin one.
    block = out.numpy()
    streams = block.nbytes >= STREAMED
    whole: dict[int, np.ndarray | None] = {}
    for index, (recording, start) in enumerate(
        zip(recordings.tolist(), starts.tolist(), strict=True)
    ):
        if recording not in whole:
            whole[recording] = plain_samples(signals[recording])
        source = whole[recording]
        if source is not None and 0 <= start <= len(source) - length:
            if write is not None:
                write(source[start : start + length], block[index], recording, streams)
                continue
            if streams and finish is None and write_plain is not None:
                write_plain(source[start : start + length], block[index])
                continue
            block[index] = source[start : start + length]
            if finish is not None:
                finish(out[index], recording)
            continue
        _copy_piecewise(signals[recording], out[index], start)
        if finish is not None:
            finish(out[index], recording)
    return out


def _copy_piecewise(signal: Signal, place: Tensor, start: int) -> None:
    """Copy a window that wraps around, or is of chosen channels, to `place` (length, C)."""
    length = len(place)
    if start < 0 or start + length > signal.samples:
        rows = torch.arange(start, start + length).remainder_(signal.samples)
        place.copy_(signal.at(rows))
    elif signal.empty or signal.columns is None:  # not float32, or not in one piece
        place.copy_(signal.rows(start, length))
    else:
        part = signal.data.narrow(0, start, length)
        torch.index_select(part, 1, signal.columns, out=place)


def subtract_baseline(block: Tensor, samples: int) -> Tensor:
    """Subtract, in place, each channel's mean over the first `samples` samples of (B, T, C).

    Published baseline correction of speech decoding: everything from the window's start to time 0,
    inclusive (0.5 s, although the original's configuration says 0.3 s).
    """
    block -= block[:, :samples].mean(1, keepdim=True)
    return block
