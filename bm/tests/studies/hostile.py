"""Hostile files: small recordings and tables with one fault each, and what may come of them.

Every fault is drawn by number, so that a failure can be made again. A recording with a fault is an
error with its name, or is read with the right numbers; never another number, never a bug's report.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mne
import numpy as np
from scipy.io import savemat

from bm.data.recording import Recording
from bm.data.store import in_memory
from bm.errors import RecordingError, UserError
from bm.studies import build_study

from ..readers.edf_files import write_edf

NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4")
RATE, SECONDS = 200, 10
#: Onsets (s) and labels of the table of events.
EVENTS = [(1.0, "a"), (3.0, "b"), (5.0, "a"), (7.0, "b")]
TABLE = "onset\tduration\tlabel\n" + "".join(f"{t:g}\t1\t{label}\n" for t, label in EVENTS)
#: Reasons of errors that nobody foresaw; see `bm.data.faults`.
UNEXPECTED = "its traceback is in"


@dataclass
class Case:
    """A folder with one fault.

    Attributes:
        name: of the fault.
        may: error, right, or either.
        events: that are right; None = whatever is there.
        channels: that are right.
        options: of the study.
    """

    name: str
    may: str = "error"
    events: list[tuple[float, Any]] | None = None
    channels: tuple[str, ...] = NAMES
    options: dict[str, Any] = field(default_factory=dict)


def samples(seed: int = 0) -> np.ndarray:
    """Samples (C, T) of a recording, in steps of 0.1 uV so that every format holds them exactly."""
    drawn = np.random.default_rng(seed).normal(0, 30, (len(NAMES), RATE * SECONDS))
    return np.round(drawn, 1)


def raw_of(uv: np.ndarray, names: tuple[str, ...] = NAMES) -> mne.io.RawArray:
    """Return uV as a recording of MNE."""
    info = mne.create_info(list(names), RATE, "eeg")
    return mne.io.RawArray(uv * 1e-6, info, verbose="error")


def edf(path: Path, uv: np.ndarray, names: tuple[str, ...] = NAMES) -> None:
    """Write EDF."""
    write_edf(path, [f"EEG {name}" for name in names], uv, RATE)


def fif(path: Path, uv: np.ndarray, names: tuple[str, ...] = NAMES) -> None:
    """Write FIF in double precision."""
    raw_of(uv, names).save(path, fmt="double", overwrite=True, verbose="error")


def brainvision(path: Path, uv: np.ndarray, names: tuple[str, ...] = NAMES) -> None:
    """Write BrainVision: header, samples of 16 bits, markers."""
    path.with_suffix(".eeg").write_bytes(np.round(uv * 10).astype("<i2").T.tobytes())
    first = "Brain Vision Data Exchange {} Version 1.0\n"
    common = f"[Common Infos]\nCodepage=UTF-8\nDataFile={path.stem}.eeg\n"
    head = f"{common}MarkerFile={path.stem}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
    head += f"NumberOfChannels={len(names)}\nSamplingInterval={1e6 / RATE:g}\n"
    head += "[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n"
    head += "".join(f"Ch{i + 1}={name},,0.1,uV\n" for i, name in enumerate(names))
    path.write_text(first.format("Header File") + head)
    marks = "[Marker Infos]\nMk1=New Segment,,1,1,0\nMk2=Stimulus,S  1,201,1,0\n"
    path.with_suffix(".vmrk").write_text(first.format("Marker File,") + common + marks)


def eeglab(path: Path, uv: np.ndarray, names: tuple[str, ...] = NAMES) -> None:
    """Write EEGLAB's header with the samples beside it."""
    uv.astype("<f4").T.tofile(path.with_suffix(".fdt"))
    places = np.array([(name,) for name in names], dtype=[("labels", "O")])
    whole = {"setname": path.stem, "nbchan": float(len(names)), "trials": 1.0, "srate": float(RATE)}
    whole |= {"pnts": float(uv.shape[1]), "xmin": 0.0, "xmax": (uv.shape[1] - 1) / RATE}
    whole |= {"ref": "common", "chanlocs": places, "data": path.with_suffix(".fdt").name}
    empty = ("event", "epoch", "icawinv", "icasphere", "icaweights", "icachansind")
    savemat(path, {"EEG": {**whole, **{name: [] for name in empty}}}, appendmat=False)


def table(path: Path, uv: np.ndarray, names: tuple[str, ...] = NAMES) -> None:
    """Write a table of samples."""
    lines = [",".join(names), *(",".join(f"{v:.1f}" for v in row) for row in uv.T)]
    path.write_text("\n".join(lines) + "\n")


Writer = Callable[..., None]
FORMATS: dict[str, Writer] = {
    ".edf": edf,
    ".fif": fif,
    ".vhdr": brainvision,
    ".set": eeglab,
}
#: The file with the samples, where it is not the one that is named.
DATA_FILE = {".vhdr": ".eeg", ".set": ".fdt"}
RATES = {"rate_hz": RATE, "unit": "uV"}
Fault = Callable[[Path, np.random.Generator], Case]
FAULTS: list[Fault] = []


def fault(function: Fault) -> Fault:
    """Add a way to spoil a folder."""
    FAULTS.append(function)
    return function


def _file(folder: Path, rng: np.random.Generator) -> tuple[str, Path]:
    """Write a good recording `x` in some format."""
    ending = str(rng.choice(list(FORMATS)))
    path = folder / ("x_raw.fif" if ending == ".fif" else f"x{ending}")
    FORMATS[ending](path, samples())
    return ending, path


@fault
def truncated(folder: Path, rng: np.random.Generator) -> Case:
    """The samples end early, within a frame."""
    ending, path = _file(folder, rng)
    data = path.with_suffix(DATA_FILE.get(ending, path.suffix))
    whole = data.read_bytes()
    size = int(len(whole) * rng.uniform(0, 0.99))
    data.write_bytes(whole[: size - size % 16 + 3 if size > 32 else size])
    return Case(f"truncated {ending} to {size}")


@fault
def lengthened(folder: Path, rng: np.random.Generator) -> Case:
    """Other bytes follow the samples."""
    ending, path = _file(folder, rng)
    data = path.with_suffix(DATA_FILE.get(ending, path.suffix))
    with data.open("ab") as file:
        file.write(rng.bytes(int(rng.integers(1, 2000)) * 16 + 5))
    # FIF says where it ends, and what follows is not read.
    return Case(f"lengthened {ending}", "either" if ending == ".fif" else "error")


@fault
def of_another_kind(folder: Path, rng: np.random.Generator) -> Case:
    """The name promises another format."""
    ending, path = _file(folder, rng)
    other = str(rng.choice([e for e in (*FORMATS, ".bdf", ".gdf", ".cnt") if e != ending]))
    contents = [path.read_bytes(), rng.bytes(5000), b"\0" * 4096, b"<html>404</html>" * 99, b" "]
    content = contents[int(rng.integers(len(contents)))]
    for old in folder.iterdir():
        old.unlink()
    (folder / f"x{other}").write_bytes(content)
    return Case(f"{ending} under {other}")


WORDS = (b"", b"nan", b"inf", b"-inf", b"abc", b"1e400", b"\0\0\0", b"-5", b"1,5", b"0x10", b"\xff")
#: Name, bytes before it and width of numbers of an EDF header; those of a channel begin at 256.
FIELDS = {
    "records": (236, 8),
    "length": (244, 8),
    "channels": (252, 4),
    "header": (184, 8),
    "low": (256 + 104 * 8, 8),
    "high": (256 + 112 * 8, 8),
    "digital low": (256 + 120 * 8, 8),
    "digital high": (256 + 128 * 8, 8),
    "samples": (256 + 216 * 8, 8),
}


@fault
def edf_number(folder: Path, rng: np.random.Generator) -> Case:
    """A number of an EDF header is none."""
    path = folder / "x.edf"
    edf(path, samples())
    name = str(rng.choice(list(FIELDS)))
    place, width = FIELDS[name]
    word = WORDS[int(rng.integers(len(WORDS)))]
    # Ranges may be negative, and MNE does not compare samples with them: nothing contradicts -5.
    if word == b"-5" and ("low" in name or "high" in name):
        word = b"abc"
    whole = bytearray(path.read_bytes())
    whole[place : place + width] = word.ljust(width)
    path.write_bytes(bytes(whole))
    return Case(f"EDF {name} = {word!r}", "either")


LINES = {
    "NumberOfChannels": ("0", "-1", "4", "7", "9", "16", "eight", "", "8.0"),
    "SamplingInterval": ("0", "-5", "nan", "inf", "fast", ""),
    "BinaryFormat": ("INT_24", "FLOAT", ""),
    "DataFile": ("y.eeg", "", "..", "x.vhdr", "a/b/c.eeg"),
    "MarkerFile": ("y.vmrk", ".."),
    "Ch1": ("Fp1,,abc,uV", "Fp1,,0,uV", "Fp1,,nan,uV", "Fp1,,inf,uV", "Fp2,,0.1,uV"),
    "Mk2": ("Stimulus,S  1,99999,1,0", "Stimulus,S  1,here,1,0", "Stimulus"),
}


@fault
def brainvision_line(folder: Path, rng: np.random.Generator) -> Case:
    """A line of a BrainVision header or marker file is wrong."""
    path = folder / "x.vhdr"
    brainvision(path, samples())
    key = str(rng.choice(list(LINES)))
    value = LINES[key][int(rng.integers(len(LINES[key])))]
    for place in (path, path.with_suffix(".vmrk")):
        lines = place.read_text().splitlines()
        new = [f"{key}={value}" if line.startswith(f"{key}=") else line for line in lines]
        if key in ("DataFile",) and place != path:
            continue
        place.write_text("\n".join(new) + "\n")
    # Two channels of one name are told apart by MNE; that changes the name, not the samples.
    channels = ("Fp2-0", "Fp2-1", *NAMES[2:]) if value.startswith("Fp2") else NAMES
    return Case(f"BrainVision {key}={value}", "either", channels=channels)


def tabs(*lines: str, names: str = "onset duration label") -> str:
    """Return lines of words as a table with tabs; `_` is an empty cell."""
    return "".join(line.replace(" ", "\t").replace("_", "") + "\n" for line in (names, *lines))


KIND = "onset duration label kind"
#: Table of events -> what is right (None: an error).
EVENT_TABLES: dict[str, tuple[str, list[tuple[float, Any]] | None]] = {
    "words": (tabs("1 0 null", "3 0 NA", "5 0 nan"), [(1, "null"), (3, "NA"), (5, "nan")]),
    "quotes": (tabs('1 0 "', '3 0 "a', '5 0 b"'), [(1, '"'), (3, '"a'), (5, 'b"')]),
    "padded": (tabs("1 0 01", "3 0 02"), [(1, "01"), (3, "02")]),
    "codes": (tabs("1 0 1", "3 0 2", "5 0 n/a"), [(1, 1), (3, 2), (5, None)]),
    "unsorted": (tabs("5 0 a", "1 0 b", "3 0 a"), [(1, "b"), (3, "a"), (5, "a")]),
    "milliseconds": (tabs("1000 0 a", "3000 0 b", "5000 0 a"), None),
    "decimal commas": (tabs("1,5 0 a", "3,5 0 b"), None),
    "semicolons": ("onset;duration;label\n1,5;0;a\n3,5;0;b\n", [(1.5, "a"), (3.5, "b")]),
    "commas": ("onset,duration,label\n1.5,0,a\n3.5,0,b\n", [(1.5, "a"), (3.5, "b")]),
    "no onset": (tabs("n/a 0 a", "3 0 b"), [(3, "b")]),
    "a word": (tabs("soon 0 a", "3 0 b"), None),
    "nan onset": (tabs("nan 0 a", "3 0 b"), None),
    "infinite": (tabs("inf 0 a", "3 0 b"), None),
    "negative": (tabs("1 -1 a", "3 0 b"), None),
    "twice": (tabs("1 0 a", "1 0 a", "3 0 b"), [(1, "a"), (3, "b")]),
    "two columns": (tabs("1 2 a", names="onset onset label"), None),
    "two clocks": ("onset\tstart_s\tlabel\n1\t2\ta\n", None),
    "short row": (tabs("1 0 a", "3 0"), None),
    "long row": (tabs("1 0 a b", "3 0 c"), None),
    "no names": ("1\t0\t5\n3\t0\t6\n", None),
    "blanks": ("onset duration label\n1 0 a\n", None),
    "other names": (tabs("1 a", names="time label"), None),
    "empty": ("", None),
    "empty label": (tabs("1 n/a 7", "3 n/a 8", names="onset label value"), [(1, 7), (3, 8)]),
    "unknown kind": (tabs("1 0 a nap", names=KIND), None),
    "no kind": (tabs("1 0 a _", names=KIND), None),
    "carriage returns": (TABLE.replace("\n", "\r\n"), EVENTS),
    "lone returns": (TABLE.replace("\n", "\r"), EVENTS),
    "byte order mark": ("\ufeff" + TABLE, EVENTS),
    "zero bytes": (TABLE + "\0" * 512, None),
    "negative onset": (tabs("-1 0 a", "-2 0 a", "3 0 b"), None),
}


@fault
def event_table(folder: Path, rng: np.random.Generator) -> Case:
    """A table of events as people write it."""
    ending = _file(folder, rng)[0]
    name = str(rng.choice(list(EVENT_TABLES)))
    text, events = EVENT_TABLES[name]
    beside = folder / rng.choice(["x_events.tsv", "x.tsv"]) if ending != ".fif" else None
    (beside or folder / "x_events.tsv").write_bytes(text.encode("utf-8"))
    return Case(f"events: {name}", "error" if events is None else "right", events)


@fault
def sidecar(folder: Path, rng: np.random.Generator) -> Case:
    """A table or description beside a recording is damaged."""
    edf(folder / "sub-01_task-x_eeg.edf", samples())
    names = ("channels.tsv", "electrodes.tsv", "coordsystem.json", "eeg.json", "events.tsv")
    name = str(rng.choice(names))
    texts = (
        *("{", "[]", "null", '{"SamplingFrequency": "fast"}', '{"SamplingFrequency": 1000}'),
        *("name\n", "name\ttype\tstatus\nFp1\n", "name\tx\ty\tz\nFp1\ta\tb\tc\n"),
        *("name\nnobody\n", "\0\0", "\x01\x02"),
    )
    text = texts[int(rng.integers(len(texts)))]
    content = b"\xff\xfe\x00" if rng.random() < 0.1 else text.encode()
    (folder / f"sub-01_task-x_{name}").write_bytes(content)
    return Case(f"{name}: {content[:40]!r}", "either")


#: Names that say what a channel is, and names that say nothing.
SPOKEN = (
    *("Marker", "Event", "class", "DIN1", "VEOG", "HEO", "GSR", "AUX 1", "BIP1", "EMG", "label"),
    *("annotation", "X", "y", "pos", "Trigger", "STATUS", "TIMESTAMP", "Temp", "ECG"),
)
SILENT = ("chan9", "foo", "Unit 7", "A-B", "extra")


@fault
def label_channel(folder: Path, rng: np.random.Generator) -> Case:
    """A channel that holds the labels, a counter, or what is no EEG."""
    spoken = bool(rng.random() < 0.5)
    name = str(rng.choice(SPOKEN if spoken else SILENT))
    steps = np.repeat(rng.integers(0, 3, SECONDS), RATE) * 40.0
    count = np.arange(RATE * SECONDS) * 0.5
    line = (steps, count, steps + rng.normal(0, 30, steps.shape))[
        int(rng.integers(3 if spoken else 2))
    ]
    ending = str(rng.choice(list(FORMATS)))
    path = folder / ("x_raw.fif" if ending == ".fif" else f"x{ending}")
    FORMATS[ending](path, np.vstack([samples(), np.round(line, 1)]), (*NAMES, name))
    return Case(f"channel {name} in {ending}", "right")


@fault
def sample_table(folder: Path, rng: np.random.Generator) -> Case:
    """A table of samples as people export it."""
    path, uv = folder / "x.csv", samples()
    table(path, uv)
    lines = path.read_text().splitlines()
    rows = range(len(lines))
    ways: dict[str, tuple[list[str], str]] = {
        "index": ([f"{i - 1 if i else ''},{lines[i]}" for i in rows], "right"),
        "named index": ([f"{i - 1 if i else 'index'},{lines[i]}" for i in rows], "right"),
        "time": ([f"{(i - 1) / RATE if i else 'time'},{lines[i]}" for i in rows], "right"),
        "odd clock": ([f"{(i - 1) * 7 if i else 'foo'},{lines[i]}" for i in rows], "right"),
        "bare": (lines[1:], "error"),
        "semicolons": ([line.replace(",", ";").replace(".", ",") for line in lines], "right"),
        "tabs": ([line.replace(",", "\t") for line in lines], "right"),
        "a word": ([*lines[:50], lines[50].replace(".", "x", 1), *lines[51:]], "error"),
        "a gap": ([*lines[:50], "," + lines[50].partition(",")[2], *lines[51:]], "error"),
        "short": ([*lines[:50], lines[50].rpartition(",")[0], *lines[51:]], "error"),
        "long": ([*lines[:50], lines[50] + ",1.0", *lines[51:]], "error"),
        "nan": ([*lines[:50], "nan," + lines[50].partition(",")[2], *lines[51:]], "error"),
        "inf": ([*lines[:50], "inf," + lines[50].partition(",")[2], *lines[51:]], "error"),
        "people": (["subject,age", "01,34", "02,22"], "error"),
        "few": (lines[:20], "error"),
        "names alone": (lines[:1], "error"),
        "twice": ([lines[0].replace("Fp2", "Fp1"), *lines[1:]], "error"),
        "labels": ([f"{lines[i]},{(i // 400) % 2 if i else 'label'}" for i in rows], "right"),
    }  # fmt: skip
    name = str(rng.choice(list(ways)))
    text, may = ways[name]
    path.write_text("\n".join(text) + "\n")
    return Case(f"csv: {name}", may, options=dict(RATES))


@fault
def impossible_samples(folder: Path, rng: np.random.Generator) -> Case:
    """NaN, infinity, another unit, mostly flat."""
    uv = samples()
    ways: dict[str, Callable[[], np.ndarray]] = {
        "nan": lambda: np.where(rng.random(uv.shape) < 1e-3, np.nan, uv),
        "inf": lambda: np.where(rng.random(uv.shape) < 1e-3, np.inf, uv),
        "volts": lambda: uv * 1e6,
        "nanovolts": lambda: uv * 1e-4,
        "flat": lambda: uv * (np.arange(len(uv)) < 3)[:, None],
    }
    name = str(rng.choice(list(ways)))
    fif(folder / "x_raw.fif", ways[name]())
    return Case(f"samples: {name}")


ODD = (
    "a b",
    "a,b=c",
    "[x]",
    "it's",
    'qu"ote',
    "ärger",
    "日本",
    "x" * 200,
    "a.b.c",
    "%41",
    "#1",
    "-x",
    "~",
)


@fault
def odd_name(folder: Path, rng: np.random.Generator) -> Case:
    """Names of files and folders that programs stumble over."""
    name = str(rng.choice(ODD))
    place = folder / (str(rng.choice(ODD)) if rng.random() < 0.5 else "")
    ending = str(rng.choice([".edf", ".EDF", ".Edf"]))
    if rng.random() < 0.15:
        os.close(os.open(os.fsencode(folder) + b"/x\xe9.edf", os.O_CREAT))
        return Case("a name that is no UTF-8")
    place.mkdir(exist_ok=True)
    edf(place / f"{name}{ending}", samples())
    return Case(f"{place.name}/{name}{ending}", "right")


@fault
def no_file(folder: Path, rng: np.random.Generator) -> Case:
    """What is called a recording and is no file."""
    ways: dict[str, Callable[[Path], object]] = {
        "link to nothing": lambda p: p.symlink_to(folder / "nowhere"),
        "pipe": lambda p: os.mkfifo(p),
        "empty": lambda p: p.write_bytes(b""),
        "link to itself": lambda p: p.symlink_to(p),
        "header alone": lambda p: p.write_bytes(b"0       " + b" " * 248),
    }
    name = str(rng.choice(list(ways)))
    ways[name](folder / f"x{rng.choice(['.edf', '.bdf', '.vhdr', '.set', '.fif', '.gdf'])}")
    return Case(f"no file: {name}")


def cases(count: int) -> Iterator[tuple[int, Fault]]:
    """Yield numbers and faults, every fault in turn."""
    for number in range(count):
        yield number, FAULTS[number % len(FAULTS)]


def outcome(number: int, make: Fault, folder: Path) -> tuple[str, str]:
    """Make a folder with one fault beside a good recording, and read all.

    Returns:
        error, right, silent or traceback; and what happened, with the case's name.
    """
    folder.mkdir(parents=True)
    case = make(folder, np.random.default_rng(number))
    # `unit` is meant for every file of a study, and an EDF file knows its own.
    table(folder / "zz_good.csv", samples(1)) if case.options else edf(
        folder / "zz_good.edf", samples(1)
    )
    entry = {"study": "folder", "path": str(folder), **case.options}
    try:
        study = build_study(entry, {"studies": folder, "cache": folder.parent / "cache"})
        recordings = list(study.recordings())
    except UserError as error:  # of all recordings at once
        return ("error" if str(folder) in str(error) else "silent"), f"{case.name}: {error}"
    results = [_read(one, case) for one in recordings]
    good = [
        word for one, (word, _) in zip(recordings, results, strict=True) if "zz_good" in one.id.name
    ]
    others = [r for one, r in zip(recordings, results, strict=True) if "zz_good" not in one.id.name]
    if good != ["right"]:
        return "silent", f"{case.name}: the good recording beside it is {good}"
    if len(others) != 1:
        return "silent", f"{case.name}: {len(others)} recordings"
    word, text = others[0]
    if case.may not in ("either", word) and word in ("error", "right"):
        return "silent", f"{case.name}: {word} where {case.may} is expected: {text}"
    return word, f"{case.name}: {text}"


def _read(recording: Recording, case: Case) -> tuple[str, str]:
    good = "zz_good" in recording.id.name
    try:
        signal = in_memory(recording, {})
    except RecordingError as error:
        return ("traceback" if UNEXPECTED in str(error) else "error"), str(error)
    except Exception as error:  # the point of the test: nothing else may be raised
        return "traceback", f"{type(error).__name__}: {error}"
    channels = NAMES if good else case.channels
    if signal.channels != channels or signal.rate_hz != RATE:
        return "silent", f"channels {signal.channels} at {signal.rate_hz} Hz"
    right = samples(1 if good else 0).T
    if signal.data.shape != right.shape:
        return "silent", f"shape {tuple(signal.data.shape)}"
    far = float(np.abs(signal.data.numpy() - right).max())
    if not far < 0.02:
        return "silent", f"samples differ by {far:.3g} uV"
    rows = signal.events[signal.events["kind"] != "block"]
    labels = rows["label"].tolist() if "label" in rows else []
    events = [
        (float(start), None if label != label else label)
        for start, label in zip(rows["start_s"], labels, strict=True)
    ]
    if not good and case.events is not None and events != case.events:
        return "silent", f"events {events}"
    return "right", "read"
