"""A CTF recording as its own system writes it: a folder with .res4 (header) and .meg4 (samples)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

COILS = 8
#: Where the filters begin in a .res4 file.
FILTERS_AT = 1844
TYPES = {"ref": 0, "meg": 5, "stim": 11}
COIL = np.dtype(
    [("pos", ">f8", 3), ("d0", ">f8"), ("norm", ">f8", 3), ("d1", ">f8"), ("turns", ">i2"),
     ("d2", ">i4"), ("d3", ">i2"), ("area", ">f8")]
)  # fmt: skip
CHANNEL = np.dtype(
    [("type", ">i2"), ("run", ">i2"), ("coil_type", ">i4"), ("proper_gain", ">f8"),
     ("qgain", ">f8"), ("io_gain", ">f8"), ("io_offset", ">f8"), ("num_coils", ">i2"),
     ("grad_order_no", ">i2"), ("d0", ">i4"), ("coil", COIL, COILS), ("head_coil", COIL, COILS)]
)  # fmt: skip

BALANCED = 50  # references that a row of compensation may name
COMPENSATION = np.dtype(
    [("sensor", "S32"), ("kind", ">i4"), ("d0", ">i4"), ("count", ">i2"),
     ("references", "S31", BALANCED), ("weights", ">f8", BALANCED)]
)  # fmt: skip
FIRST_ORDER = 0x47314252  # "G1BR"


def _text(text: str, size: int) -> bytes:
    return text.encode().ljust(size, b"\0")


def header(names: list[str], kinds: list[str], samples: int, rate: float) -> bytes:
    """Content of a .res4 file: one trial of so many samples."""
    out = bytearray(FILTERS_AT)
    out[0:8] = b"MEG42RS\0"
    struct.pack_into(">h", out, 776, 0)
    out[778:1033], out[1033:1288] = _text("12:00", 255), _text("01/02/2010", 255)
    struct.pack_into(">ih", out, 1288, samples, len(names))
    struct.pack_into(">ddh", out, 1296, rate, samples / rate, 1)
    struct.pack_into(">i", out, 1836, 0)  # no description
    channels = np.zeros(len(names), CHANNEL)
    for number, (channel, kind) in enumerate(zip(channels, kinds, strict=True)):
        channel["type"] = TYPES[kind]
        channel["proper_gain"] = 1.0 if kind == "stim" else 1e9
        channel["qgain"] = 1.0 if kind == "stim" else 1e6
        channel["num_coils"] = 1
        angle = number / len(names) * 2 * np.pi
        direction = np.array([np.cos(angle), np.sin(angle), 1.0])
        channel["coil"]["pos"][0] = 10 * direction  # cm
        channel["coil"]["norm"][0] = direction / np.linalg.norm(direction)
    titles = b"".join(_text(name, 32) for name in names)
    rows = compensation(names, kinds)
    filters, count = struct.pack(">h", 0), struct.pack(">h", len(rows))
    return bytes(out) + filters + titles + channels.tobytes() + count + rows.tobytes()


def compensation(names: list[str], kinds: list[str]) -> np.ndarray:
    """One row per sensor with the weights of the references."""
    references = [name for name, kind in zip(names, kinds, strict=True) if kind == "ref"]
    sensors = [name for name, kind in zip(names, kinds, strict=True) if kind == "meg"]
    rows = np.zeros(len(sensors), COMPENSATION)
    for row, sensor in zip(rows, sensors, strict=True):
        row["sensor"], row["kind"], row["count"] = sensor, FIRST_ORDER, len(references)
        row["references"][: len(references)] = references
        row["weights"][: len(references)] = 0.1
    return rows


#: Places of the head coils (cm), the same in either frame.
HEAD_COILS = {"nasion": (9.0, 0.0, 0.0), "left ear": (0.0, 7.0, 0.0), "right ear": (0.0, -7.0, 0.0)}


def head_coils() -> str:
    """Content of a .hc file."""
    lines = []
    for frame in ("dewar", "head"):
        for name, place in HEAD_COILS.items():
            lines.append(f"measured {name} coil position relative to {frame} (cm):")
            lines += [f"\t{axis} = {value}" for axis, value in zip("xyz", place, strict=True)]
    return "\n".join(lines) + "\n"


def write_ctf(
    folder: Path, names: list[str], kinds: list[str], data: np.ndarray, rate: float
) -> None:
    """Write `data` (channels, samples), T for sensors and plain values for triggers.

    Args:
        folder: ends in .ds.
        kinds: ref, meg or stim.
    """
    folder.mkdir(parents=True)
    gains = np.array([1.0 if kind == "stim" else 1e15 for kind in kinds])
    counts = np.round(data * gains[:, None]).astype(">i4")
    (folder / f"{folder.stem}.hc").write_text(head_coils())
    (folder / f"{folder.stem}.res4").write_bytes(header(names, kinds, data.shape[1], rate))
    (folder / f"{folder.stem}.meg4").write_bytes(b"MEG41CP\0" + counts.tobytes())
