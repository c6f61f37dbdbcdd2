"""Length of files against their headers: MNE opens some truncated files without a word."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from ..errors import RecordingError
from . import edf
from .edf import FETCH

#: Bytes of a sample in a BrainVision file.
BRAINVISION_BYTES = {"INT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}

#: Description of a channel in a BrainVision header.
CHANNEL = re.compile(r"ch\d+", re.IGNORECASE)
#: First bytes of formats that MNE tells apart by the ending alone.
STARTS = {".edf": b"0       ", ".bdf": b"\xffBIOSEMI", ".gdf": b"GDF "}

#: Share of a recording that the times of its records may be away from their length.
DRIFT = 2e-4
#: Bytes that may follow the last sample.
PADDING = 4096
#: Entry of a KIT directory with the acquisition condition; it begins with the kind of file.
KIT_CONDITION, KIT_CONTINUOUS = 8, struct.pack("<i", 1)


def check_length(path: Path) -> None:
    """Raise `RecordingError` when a file is missing, empty, of the wrong kind or truncated.

    EDF, BDF and GDF: header against size. FIF: the tags must run to their end. KIT: the directory
    against the size. BrainVision: size of the data file against its frames. Others: their reader.
    """
    if not path.exists():
        raise RecordingError(path, "no such file", "check the path")
    try:
        path.open("rb").close() if path.is_file() else next(path.iterdir(), None)
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise RecordingError(path, reason, "change its permissions") from None
    if path.is_file() and path.stat().st_size == 0:
        raise RecordingError(path, "empty file", FETCH)
    check = CHECKS.get(path.suffix.lower())
    if check is not None:
        check(path)


def _check_edf(path: Path) -> None:
    header = edf.read_header(path)
    _check_variant(path)
    if header.record_bytes == 0 or header.records == 0:
        raise RecordingError(path, "the header promises no sample", FETCH)
    gap = edf.gap_s(path, header)
    # Lengths of records are rounded to eight characters, which adds up.
    least = max(0.5 * header.record_s, DRIFT * header.record_s * max(0, header.records))
    # Records may be interrupted (+D) and are not: their times say so.
    if abs(gap or 0.0) > least or (gap is None and header.variant[3:5] == "+D"):
        length = "" if gap is None else f" of {gap:g} s in all"
        variant = f"{header.variant}: " * bool(header.variant)
        reason = f"{variant}its records have gaps{length}, which MNE closes without a word"
        raise RecordingError(path, reason, "export each stretch as a file of its own")
    if header.records < 0:  # -1: the writer did not know; the file's own length says it
        rest = path.stat().st_size - header.start
        if rest <= 0 or rest % header.record_bytes:
            reason = f"truncated: {rest} bytes are no whole number of {header.record_bytes}"
            raise RecordingError(path, f"{reason}-byte records", FETCH)
        return
    promised = header.start + header.records * header.record_bytes
    if path.suffix.lower() == ".gdf":
        _at_least(path, promised)
        promised += _gdf_events(path, promised)
    _exactly(path, promised)


def _check_variant(path: Path) -> None:
    """Raise when the content is of another format than the ending says: MNE goes by the ending."""
    with path.open("rb") as file:
        first = file.read(8)
    ending = next((e for e, start in STARTS.items() if first.startswith(start)), None)
    if ending is not None and ending != path.suffix.lower():
        reason = f"holds {ending[1:].upper()}, but its name ends in {path.suffix}"
        raise RecordingError(path, reason, f"rename it to {path.stem}{ending}")


def _gdf_events(path: Path, start: int) -> int:
    """Return bytes of the event table after the samples: 6 an event, 12 with channel, duration."""
    with path.open("rb") as file:
        version = float(file.read(8)[4:].decode("latin-1"))
        file.seek(start)
        head = file.read(8)
    if not head:
        return 0
    if len(head) < 8:
        return 8
    count = int.from_bytes(head[1:4], "little")
    if version < 1.94:
        count = int.from_bytes(head[4:8], "little")
    return 8 + count * (12 if head[0] == 3 else 6)


def _at_least(path: Path, promised: int) -> None:
    size = path.stat().st_size
    if size < promised:
        share = size / promised
        raise RecordingError(
            path, f"truncated: {size} of {promised} promised bytes ({share:.1%})", FETCH
        )


def _exactly(path: Path, promised: int) -> None:
    """Raise unless only padding follows: one repeated byte, or a last line ending."""
    _at_least(path, promised)
    with path.open("rb") as file:
        file.seek(promised)
        rest = file.read(PADDING + 1)
    if len(rest) > PADDING or (len(set(rest)) > 1 and rest != b"\r\n"):
        raise RecordingError(
            path,
            f"{path.stat().st_size} bytes where the header promises {promised}; a transfer in text "
            "mode changes line endings, and with them the samples",
            FETCH,
        )


def _check_fif(path: Path) -> None:
    """Follow the tags (kind, type, size, next) of a FIF file to the one that says `end`."""
    size, place = path.stat().st_size, 0
    visited: set[int] = set()
    with path.open("rb") as file:
        while True:
            file.seek(place)
            tag = file.read(16)
            if len(tag) < 16:
                raise RecordingError(path, f"truncated: the tags run past its {size} bytes", FETCH)
            kind, _, length, following = struct.unpack(">4i", tag)
            if not visited and (kind, length) != (100, 20):
                raise RecordingError(path, f"begins with {tag[:8]!r}: no FIF file", FETCH)
            end = place + 16 + length
            if length < 0 or end > size:
                raise RecordingError(path, f"truncated: a tag ends at {end} of {size}", FETCH)
            if following == -1 or (following == 0 and end == size):
                return
            visited.add(place)
            place = following or end
            if place < 0 or place in visited:  # damaged links may run in a circle
                raise RecordingError(path, f"broken tag: it points to byte {place}", FETCH)


def _check_kit(path: Path) -> None:
    """Raise unless all entries of the directory (offset, size, max, count) are in the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16 * 64)
        if len(head) < 16 * 16:
            raise RecordingError(path, "truncated header", FETCH)
        file.seek(struct.unpack_from("<I", head, 16 * KIT_CONDITION)[0])
        kind = file.read(4)
    entries = struct.unpack_from("<4I", head, 0)[3]
    if not 10 <= entries <= 64 or len(head) < 16 * entries:
        raise RecordingError(path, f"no KIT directory ({entries} entries)", FETCH)
    if kind != KIT_CONTINUOUS:
        raise RecordingError(path, "holds markers, epochs or an average", "leave it out")
    for number in range(entries):
        offset, width, _, count = struct.unpack_from("<IiIi", head, 16 * number)
        if count > 0 and offset + width * count > size:
            raise RecordingError(
                path, f"truncated: {size} of {offset + width * count} promised bytes", FETCH
            )


def _check_brainvision(path: Path) -> None:
    text = path.read_text("latin-1")
    if not text[:40].lower().replace(" ", "").startswith("brainvision"):
        raise RecordingError(
            path, f"begins with {text[:16]!r}, which no BrainVision header does", FETCH
        )
    # Keys may be repeated in comments below the sections: the first one counts.
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.startswith(";"):
            fields.setdefault(key.strip(), value.strip())
    missing = [k for k in ("DataFile", "NumberOfChannels", "BinaryFormat") if k not in fields]
    if missing:
        raise RecordingError(path, f"truncated header: no {missing[0]}", FETCH)
    data = path.parent / fields["DataFile"].replace("$b", path.stem).replace("\\", "/")
    if not data.exists():
        raise RecordingError(path, f"its data file {data.name} is missing", "put it beside")
    width = BRAINVISION_BYTES.get(fields["BinaryFormat"].upper(), 2)
    channels = _whole(path, fields, "NumberOfChannels")
    listed = len({key.lower() for key in fields if CHANNEL.fullmatch(key)})
    if channels < 1 or (listed and listed != channels):
        reason = f"NumberOfChannels={channels}, but {listed} channels are described"
        raise RecordingError(path, f"broken header: {reason}", FETCH)
    frame = width * channels
    size = data.stat().st_size
    if size == 0 or size % frame:
        raise RecordingError(
            data, f"truncated: {size} bytes are no whole number of {frame}-byte frames", FETCH
        )
    if "DataPoints" in fields and _whole(path, fields, "DataPoints") * frame != size:
        raise RecordingError(data, f"{size // frame} of {fields['DataPoints']} samples", FETCH)
    if fields.get("MarkerFile"):
        name = fields["MarkerFile"].replace("$b", path.stem).replace("\\", "/")
        if not (path.parent / name).is_file():
            reason = f"its marker file {name} is missing"
            raise RecordingError(path, reason, "put it beside, or remove the line MarkerFile")
        _check_markers(data, path.parent / name, size // frame)


def _whole(path: Path, fields: dict[str, str], key: str) -> int:
    if not fields[key].isdecimal():
        reason = f"broken header: {key} is {fields[key]!r}"
        raise RecordingError(path, reason, FETCH)
    return int(fields[key])


def _check_markers(data: Path, markers: Path, samples: int) -> None:
    """Raise when a marker lies behind the last sample: a BrainVision header gives no length."""
    for line in markers.read_text("latin-1").splitlines():
        parts = line.split(",")
        marker = line.startswith("Mk") and len(parts) > 2 and parts[2].isdigit()
        if marker and int(parts[2]) > samples:
            reason = f"truncated: {samples} samples, but a marker at sample {parts[2]}"
            raise RecordingError(data, reason, FETCH)


CHECKS = {
    ".edf": _check_edf,
    ".bdf": _check_edf,
    ".gdf": _check_edf,
    ".fif": _check_fif,
    ".sqd": _check_kit,
    ".con": _check_kit,
    ".vhdr": _check_brainvision,
}
