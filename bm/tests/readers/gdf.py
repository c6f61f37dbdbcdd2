"""A small GDF 2.20 file, written field by field, for tests of the reading of real ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

LIMIT = 32767


def write_gdf(
    path: Path, data_uv: np.ndarray, names: list[str], events: list[tuple[int, int]], rate: int
) -> None:
    """Samples (channels, time) uV within +-100 as int16, one-second records; events (sample, type).

    NaN becomes the smallest number, as recorders write missing samples.
    """
    count, seconds = len(names), data_uv.shape[1] // rate
    fixed = bytearray(256)
    fixed[:8] = b"GDF 2.20"
    struct.pack_into("<H", fixed, 184, 1 + count)
    struct.pack_into("<q", fixed, 236, seconds)
    struct.pack_into("<II", fixed, 244, 1, 1)
    struct.pack_into("<H", fixed, 252, count)
    table = b"".join(name.encode().ljust(16, b"\0") for name in names)
    table += bytes(86 * count) + struct.pack(f"<{count}H", *[4275] * count)
    for value in (-100.0, 100.0, -LIMIT - 1, LIMIT):
        table += struct.pack(f"<{count}d", *[value] * count)
    table += bytes(68 * count) + struct.pack(f"<{3 * count}f", *[0.0] * (3 * count))
    table += struct.pack(f"<{count}i", *[rate] * count) + struct.pack(f"<{count}i", *[3] * count)
    table += bytes(32 * count)
    counts = (data_uv + 100) / 200 * (2 * LIMIT + 1) - LIMIT - 1
    whole = np.where(np.isnan(data_uv), -LIMIT - 1, np.round(counts)).astype("<i2")
    blocks = whole[:, : seconds * rate].reshape(count, seconds, rate).transpose(1, 0, 2)
    tail = struct.pack("<B", 1) + len(events).to_bytes(3, "little") + struct.pack("<f", rate)
    tail += struct.pack(f"<{len(events)}I", *[sample + 1 for sample, _ in events])
    tail += struct.pack(f"<{len(events)}H", *[kind for _, kind in events])
    path.write_bytes(bytes(fixed) + table + blocks.tobytes() + tail)
