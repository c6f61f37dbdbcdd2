"""Headers of EDF, BDF and GDF files: names, rates, and the length that they promise."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from ..errors import RecordingError

FETCH = "the file is damaged: fetch or export it again"
#: First bytes of a file -> bytes per sample (EDF 1992, BDF); GDF names a type per channel.
MAGIC = {b"0       ": 2, b"\xffBIOSEMI": 3}
#: Bytes of each GDF sample type (GDF 2.20, table 3).
GDF_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 8, 8: 8, 16: 4, 17: 8, 279: 3, 535: 3}
MOST = 9999  # channels: the header has four characters for their number
#: Bytes before, per channel: physical and digital minimum and maximum.
RANGES = (104, 112, 120, 128)
#: Time of a record, at the begin of its first channel of annotations.
TIME = re.compile(rb"([+-]\d+(?:\.\d+)?)(?:\x15[\d.]*)?\x14")
#: Labels of channels that hold text or triggers, whose rate says nothing about the data.
EXTRA = ("EDF ANNOTATIONS", "BDF ANNOTATIONS", "STATUS")


@dataclass(frozen=True)
class Header:
    """Names, rates and length that a header promises.

    Attributes:
        names: of all channels as written.
        samples: per data record, of each channel.
        record_s: length of a data record.
        records: number of data records; -1 when the writer did not know.
        start: bytes before the first data record.
        record_bytes: bytes of a data record.
        without_range: channels whose least and largest value are the same.
        variant: EDF+C, EDF+D (with gaps between records), BDF+C, ...; empty for others.
    """

    names: tuple[str, ...]
    samples: tuple[int, ...]
    record_s: float
    records: int
    start: int
    record_bytes: int
    variant: str = ""
    without_range: tuple[str, ...] = ()

    def rates(self) -> list[tuple[str, float]]:
        """Return name and rate in Hz of every channel that is not text or trigger."""
        pairs = zip(self.names, self.samples, strict=True)
        # EDF+ files of annotations alone have records without length.
        length = self.record_s or 1.0
        return [(name, n / length) for name, n in pairs if name.upper() not in EXTRA]


def read_header(path: Path) -> Header:
    """Read the header of an EDF, BDF or GDF file.

    Raises:
        RecordingError: it is none, or a truncated one.
    """
    with path.open("rb") as file:
        fixed = file.read(256)
        if fixed[:4] == b"GDF ":
            return _gdf(path, fixed, file.read(2**20))
        if fixed[:8] not in MAGIC:
            raise RecordingError(
                path, f"begins with {fixed[:8]!r}, which no EDF, BDF or GDF file does", FETCH
            )
        if len(fixed) < 256:
            raise RecordingError(path, f"truncated header: {len(fixed)} of 256 bytes", FETCH)
        count = int(_number(path, fixed[252:256], "number of channels"))
        table = file.read(256 * count) if 0 < count <= MOST else b""
    if count < 1 or len(table) < 256 * count:
        raise RecordingError(path, f"truncated header: {count} channels are promised", FETCH)
    names = tuple(_text(table[16 * i : 16 * (i + 1)]) for i in range(count))
    begin = 216 * count
    samples = tuple(
        int(_number(path, table[begin + 8 * i : begin + 8 * (i + 1)], "samples per record"))
        for i in range(count)
    )
    if min(samples) < 0:
        raise RecordingError(path, f"broken header: {min(samples)} samples per record", FETCH)
    length = _number(path, fixed[244:252], "record length")
    if length < 0:
        raise RecordingError(path, f"broken header: records of {length:g} s", FETCH)
    return Header(
        names,
        samples,
        length,
        int(_number(path, fixed[236:244], "number of records")),
        int(_number(path, fixed[184:192], "header length")),
        MAGIC[fixed[:8]] * sum(samples),
        _text(fixed[192:236]),
        _without_range(path, table, names),
    )


def gap_s(path: Path, header: Header) -> float | None:
    """Return the seconds that are missing between the records of EDF+ or BDF+, by their own times.

    The first and the last record are looked at. None where records have no times.
    """
    names = [name.upper() for name in header.names]
    place = next((names.index(name) for name in EXTRA[:2] if name in names), None)
    count = header.records
    if count < 0:  # the writer did not know
        count = (path.stat().st_size - header.start) // max(1, header.record_bytes)
    if place is None or count < 2 or not header.record_s:
        return None
    width = header.record_bytes // sum(header.samples)
    before, size = (width * n for n in (sum(header.samples[:place]), header.samples[place]))
    times = []
    with path.open("rb") as file:
        for record in (0, count - 1):
            file.seek(header.start + record * header.record_bytes + before)
            match = TIME.match(file.read(size))
            if match is None:
                return None
            times.append(float(match[1]))
    return times[1] - times[0] - (count - 1) * header.record_s


def _without_range(path: Path, table: bytes, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return channels whose least and largest value are the same, so that no number has a unit."""
    count, flat = len(names), []
    for i, name in enumerate(names):
        if name.upper() in EXTRA:
            continue
        cells = [table[field * count + 8 * i :][:8] for field in RANGES]
        low, high, digital_low, digital_high = (
            _number(path, cell, f"range of {name}") for cell in cells
        )
        if low == high or digital_low == digital_high:
            flat.append(name)
    return tuple(flat)


def _text(data: bytes) -> str:
    return data.decode("latin-1").split("\0")[0].strip()


def _number(path: Path, data: bytes, what: str) -> float:
    try:
        number = float(_text(data))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise RecordingError(path, f"broken header: {what} is {data!r}", FETCH)
    return number


def _gdf(path: Path, fixed: bytes, table: bytes) -> Header:
    """Read a GDF header; 1.x and 2.x differ in its length and the width of the channel count."""
    try:
        modern = float(fixed[4:8]) >= 1.9
        if modern:
            start = 256 * struct.unpack_from("<H", fixed, 184)[0]
            count = struct.unpack_from("<H", fixed, 252)[0]
        else:
            start = struct.unpack_from("<q", fixed, 184)[0]
            count = struct.unpack_from("<I", fixed, 252)[0]
        records = struct.unpack_from("<q", fixed, 236)[0]
        above, below = struct.unpack_from("<II", fixed, 244)
        samples = struct.unpack_from(f"<{count}I", table, 216 * count)
        types = struct.unpack_from(f"<{count}I", table, 220 * count)
    except (struct.error, ValueError):
        raise RecordingError(path, "truncated or broken GDF header", FETCH) from None
    if any(t not in GDF_BYTES for t in types):
        raise RecordingError(path, "broken GDF header: unknown sample type", FETCH)
    width = sum(n * GDF_BYTES[t] for n, t in zip(samples, types, strict=True))
    names = tuple(_text(table[16 * i : 16 * (i + 1)]) for i in range(count))
    return Header(names, samples, above / below if below else 1.0, records, start, width)
