"""Damaged copies of real files: each a named error or a recorded mark, never a wrong number."""

from __future__ import annotations

import shutil
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest

from bm.data.store import Store
from bm.errors import RecordingError, UserError
from bm.readers.event_table import check_events, read_table
from bm.readers.plausibility import preflight
from bm.studies import build_study

from ..shared_data import DATA, needs
from . import hostile

pytestmark = [pytest.mark.shared, needs("formats")]
FORMATS = DATA / "formats"
EDF = DATA / "eegmat" / "Subject00_2.edf"
#: One file of each format, with what lies beside it, and its kind.
FILES = {
    "edf": ([EDF], {}),
    "bdf": ([FORMATS / "mne/edf/test.bdf"], {}),
    "brainvision": (sorted((FORMATS / "mne/brainvision").glob("test.[ev]*")), {}),
    "set": ([FORMATS / "eeglab_selfmade/S001R04_onefile.set"], {}),
    "fdt": (sorted((FORMATS / "eeglab_selfmade").glob("*_twofile.*")), {}),
    "kit": ([FORMATS / "mne/kit/test.sqd"], {}),
    "bti": (sorted((FORMATS / "mne/bti").glob("test_*")), {}),
    "ctf-fif": ([FORMATS / "mne/fif/test_ctf_comp_raw.fif"], {"kind": "meg"}),
    "fif": ([FORMATS / "yasa/data_resting_EO_200Hz_raw.fif"], {}),
    "ieeg-edf": ([FORMATS / "naplab/tiny_test.edf"], {"kind": "ecog"}),
}
#: The file with the samples, where it is not the only one.
SAMPLES = {"brainvision": ".eeg", "fdt": ".fdt", "bti": "pdf_linux"}


def copy(name: str, folder: Path) -> tuple[list[Path], dict]:
    """Writable copies in `folder`, the file with the samples first."""
    sources, options = FILES[name]
    folder.mkdir(exist_ok=True)
    paths = []
    for source in sources:
        shutil.copyfile(source, folder / source.name)
        paths.append(folder / source.name)
    if name == "ieeg-edf":
        # The file has a line feed behind its last sample, which would hide one lost byte.
        paths[0].write_bytes(paths[0].read_bytes().removesuffix(b"\n"))
    ending = SAMPLES.get(name, "")
    return sorted(paths, key=lambda p: not p.name.endswith(ending)), options


def recording(folder: Path, **options):
    paths = {"studies": folder.parent, "cache": folder.parent / "cache"}
    (single,) = build_study({"study": "folder", "path": str(folder), **options}, paths).recordings()
    return single


def read(folder: Path, **options) -> mne.io.BaseRaw:
    return recording(folder, **options).load_raw()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lab"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, "header"])
def test_a_truncated_file_is_named(name: str, share: float | str, folder: Path) -> None:
    paths, options = copy(name, folder)
    whole = paths[0].read_bytes()
    keep = 100 if share == "header" else int(len(whole) * float(share))
    paths[0].write_bytes(whole[:keep])
    with pytest.raises(RecordingError) as caught:
        read(folder, **options).load_data()
    assert str(caught.value).startswith(str(folder)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(name: str, folder: Path) -> None:
    paths, options = copy(name, folder)
    opened = recording(folder, **options)
    paths[0].unlink()
    with pytest.raises(RecordingError, match=r"no such file|missing|cannot be read"):
        opened.load_raw()
    with pytest.raises(RecordingError):
        Store(folder).get(opened, {})


@pytest.mark.parametrize("name", FILES)
def test_other_content_under_the_name_is_named(name: str, folder: Path) -> None:
    paths, options = copy(name, folder)
    main = next(p for p in paths if p.suffix not in (".eeg", ".vmrk", ".fdt"))
    main.write_bytes(b"<html><body>404 Not Found</body></html>" * 300)
    with pytest.raises(RecordingError):
        read(folder, **options)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [(b"\n", b"\r\n"), (b"\r\n", b"\n")])
def test_a_transfer_in_text_mode_never_changes_numbers(
    name: str, change: tuple[bytes, bytes], folder: Path
) -> None:
    paths, options = copy(name, folder)
    before = read(folder, **options).get_data()
    changed = False
    for path in paths:
        whole = path.read_bytes()
        path.write_bytes(whole.replace(*change))
        changed |= path.read_bytes() != whole
    try:
        after = read(folder, **options).get_data()
    except RecordingError:
        assert changed
        return
    # Text headers may have any line ending.
    assert np.array_equal(before, after)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_headers_and_tables_take_any_line_ending(ending: str, folder: Path) -> None:
    paths, _ = copy("brainvision", folder)
    before = recording(folder).events()
    for path in paths:
        if path.suffix != ".eeg":
            text = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", ending.encode())
            path.write_bytes(text)
    (folder / "test_channels.tsv").write_bytes(f"name\ttype{ending}HL\tEOG{ending}".encode())
    try:
        after = recording(folder).events()
    except RecordingError as error:
        assert ending == "\r" and "test.v" in str(error)
        return
    pd.testing.assert_frame_equal(before, after)


def with_signal(folder: Path, change, kind: str = "eeg", rate: float = 250.0) -> Path:
    """A FIF file made of the real recording's first 20 s after `change(data)`."""
    folder.mkdir(exist_ok=True)
    raw = mne.io.read_raw_edf(EDF, verbose="error").crop(0, 20)
    data = raw.get_data()[:19]
    change(data)
    names = [name.removeprefix("EEG ") for name in raw.ch_names[:19]]
    changed = mne.io.RawArray(data, mne.create_info(names, rate, kind), verbose="error")
    changed.save(folder / "one_raw.fif", fmt="double", overwrite=True, verbose="error")
    return folder / "one_raw.fif"


def test_not_a_number_is_named_with_its_place(folder: Path) -> None:
    def change(data: np.ndarray) -> None:
        data[3, 500:510] = np.nan
        data[7, 900] = np.inf

    with_signal(folder, change)
    with pytest.raises(RecordingError, match=r"channel F4 is not a number at 2\.000 s"):
        read(folder)
    read(folder, exclude=["F4", "T8"])


def test_flat_and_doubled_channels_are_marked_and_logged(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def change(data: np.ndarray) -> None:
        data[2] = 5e-6
        data[9] = data[8]
        data[10] *= 5e3

    with_signal(folder, change)
    names = read(folder, exclude=["nothing"]).ch_names
    raw = read(folder)
    assert raw.info["bads"] == [names[2], names[9], names[10]]
    for word in ("flat", "a copy of another", "far from the unit"):
        assert any(word in message for message in caplog.messages)
    with pytest.raises(RecordingError, match="1 channels are flat: F3"):
        read(folder, bad_channels="error")


def test_mostly_flat_is_an_error(folder: Path) -> None:
    def change(data: np.ndarray) -> None:
        data[:10] = 0.0

    with_signal(folder, change)
    with pytest.raises(RecordingError, match="10 of 19 channels are flat"):
        read(folder)


@pytest.mark.parametrize("factor", [1e6, 1e3, 1e-3, 1e-6])
def test_a_wrong_unit_is_named(factor: float, folder: Path) -> None:
    def change(data: np.ndarray) -> None:
        data *= factor

    with_signal(folder, change)
    with pytest.raises(RecordingError, match=r"median standard deviation .* is no EEG"):
        read(folder)
    if factor in (1e3, 1e6):
        right = read(folder, unit={1e3: "mV", 1e6: "uV"}[factor])
        assert 1e-6 < np.median(right.get_data().std(1)) < 1e-4


def test_single_spikes_are_no_wrong_unit(folder: Path) -> None:
    def change(data: np.ndarray) -> None:
        data[:, 1000] = 5.0

    with_signal(folder, change)
    assert not read(folder).info["bads"]


def test_long_recordings_are_looked_through_in_blocks(folder: Path) -> None:
    def change(data: np.ndarray) -> None:
        data[0, -1] = np.nan

    raw = mne.io.read_raw_fif(with_signal(folder, change), verbose="error")
    assert not raw.preload
    with pytest.raises(RecordingError, match=r"channel Fp1 is not a number at 40\.000 s"):
        preflight(raw, folder, "eeg")
    assert not raw.preload


def edit_edf(path: Path, field: int, width: int, channel: int, text: str) -> None:
    """Overwrite a channel's field; `field` is its offset per channel in the header."""
    whole = bytearray(path.read_bytes())
    count = int(whole[252:256])
    place = 256 + field * count + width * channel
    whole[place : place + width] = text.ljust(width).encode()
    path.write_bytes(bytes(whole))


def test_channels_of_different_rates_are_named(folder: Path) -> None:
    paths, _ = copy("edf", folder)
    # Half the rate for the ECG, its samples taken out of every record.
    whole = paths[0].read_bytes()
    count, start = int(whole[252:256]), int(whole[184:192])
    samples = [int(whole[256 + 216 * count + 8 * i :][:8]) for i in range(count)]
    ecg = next(i for i in range(count) if b"ECG" in whole[256 + 16 * i :][:16])
    width, cut = 2 * sum(samples), 2 * sum(samples[:ecg]) + samples[ecg]
    records = [whole[p : p + width] for p in range(start, len(whole), width)]
    body = b"".join(r[:cut] + r[cut + samples[ecg] :] for r in records)
    paths[0].write_bytes(whole[:start] + body)
    edit_edf(paths[0], 216, 8, ecg, str(samples[ecg] // 2))
    with pytest.raises(RecordingError, match="500 Hz, but ECG ECG 250 Hz"):
        read(folder)
    raw = read(folder, exclude=["*ECG*", "*A2-A1"])
    clean = mne.io.read_raw_edf(EDF, verbose="error")
    assert raw.info["sfreq"] == 500 and len(raw.ch_names) == 19
    np.testing.assert_allclose(raw.get_data(), clean.get_data()[:19], atol=1e-12)


@pytest.mark.parametrize(
    ("place", "text", "message"),
    [
        (184, b"abcdefgh", "header length is b'abcdefgh'"),
        (236, b"nan     ", "number of records is"),
        (236, b"0       ", "promises no sample"),
        (236, b"9999    ", "truncated: .* of .* promised bytes"),
        (236, b"10      ", "where the header promises"),
        (252, b"0   ", "truncated header"),
        (252, b"zz  ", "number of channels"),
    ],
)
def test_a_broken_header_is_named(place: int, text: bytes, message: str, folder: Path) -> None:
    paths, _ = copy("edf", folder)
    whole = bytearray(paths[0].read_bytes())
    whole[place : place + len(text)] = text
    paths[0].write_bytes(bytes(whole))
    with pytest.raises(RecordingError, match=message):
        read(folder)


def test_an_unknown_number_of_records_is_told_by_the_file(folder: Path) -> None:
    paths, _ = copy("edf", folder)
    before = read(folder).get_data()
    whole = bytearray(paths[0].read_bytes())
    whole[236:244] = b"-1      "
    paths[0].write_bytes(bytes(whole))
    assert np.array_equal(read(folder).get_data(), before)
    paths[0].write_bytes(bytes(whole[:-100]))
    with pytest.raises(RecordingError, match=r"truncated: .* no whole number of"):
        read(folder)


def test_montages_that_do_not_fit_are_named(folder: Path, caplog) -> None:
    copy("edf", folder)
    with pytest.raises(UserError, match="unknown montage 'standard_1006'; did you mean"):
        read(folder, montage="standard_1006")
    with pytest.raises(RecordingError, match=r"none of its channels .* is in montage EGI_256"):
        read(folder, montage="EGI_256")
    raw = read(folder, rename={"Cz": "mystery"}, montage="standard_1005")
    place = raw.info["chs"][raw.ch_names.index("mystery")]["loc"][:3]
    assert np.isnan(place).all() and any("mystery" in m for m in caplog.messages)
    assert np.isfinite(raw.info["chs"][0]["loc"][:3]).all()


def test_strange_names_get_no_places(folder: Path) -> None:
    shutil.copytree(FORMATS / "mne" / "edf", folder, copy_function=shutil.copyfile)
    raw = read(folder, files=["test.edf"])
    # A1, C3 and F7 of a cap named by letters are not the places of the 10-20 system.
    assert np.isnan([c["loc"][:3] for c in raw.info["chs"]]).all()


ROW = {"kind": "trial", "duration_s": 1.0, "label": "a"}


@pytest.mark.parametrize(
    ("starts", "message"),
    [
        ([0.0, 5.0, 3.0], r"trial events go back from 5 s to 3 s"),
        ([0.0, float("nan")], "event 1 begins at nan"),
        ([0.0, "soon"], "event 1 begins at soon"),
        ([1000.0, 2000.0, 3000.0], r"3 of 3 events are outside the recording of 10\.0 s"),
        ([-5.0, -4.0, 1.0], "2 of 3 events are outside"),
    ],
)
def test_events_on_another_clock_are_named(starts: list, message: str) -> None:
    table = pd.DataFrame([{**ROW, "start_s": start} for start in starts])
    with pytest.raises(RecordingError, match=message):
        check_events(table, 10.0, "x_events.tsv")


def test_single_events_outside_are_left_out_and_logged(caplog) -> None:
    table = pd.DataFrame([{**ROW, "start_s": start} for start in (-1.0, 0.0, 5.0, 9.0, 11.0)])
    events = check_events(table, 10.0, "x_events.tsv")
    assert events["start_s"].tolist() == [0.0, 5.0, 9.0]
    assert "2 events outside the recording of 10.0 s are left out" in caplog.text


@pytest.mark.parametrize("duration", [-1.0, "long"])
def test_durations_must_be_numbers(duration) -> None:
    table = pd.DataFrame([{**ROW, "start_s": 0.0, "duration_s": duration}])
    with pytest.raises(RecordingError, match="event 0 has the duration"):
        check_events(table, 10.0, "x_events.tsv")
    missing = pd.DataFrame([{**ROW, "start_s": 0.0, "duration_s": None}])
    assert check_events(missing, 10.0, "x")["duration_s"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty table"),
        (b"onset\tlabel\n1\ta\textra\n", "rows of different lengths"),
        (b"\xff\xfe\x00o", "no UTF-8 text"),
        (b"time\tlabel\n1\ta\n", "no column 'onset'"),
        (b"onset label\n1 a\n", "no column 'onset'"),
        (b"onset\tkind\n1\tnap\n", "unknown event kind"),
    ],
)
def test_tables_of_events_that_are_none_are_named(
    content: bytes, message: str, folder: Path
) -> None:
    copy("edf", folder)
    (folder / "Subject00_2.tsv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        recording(folder).events()


def test_tables_are_the_same_with_every_line_ending(tmp_path: Path) -> None:
    text = "onset\tduration\tlabel\n1\tn/a\tNone\n2\t3\tb\n"
    tables = []
    for ending in ("\n", "\r\n", "\r"):
        path = tmp_path / "x.tsv"
        path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", ending).encode())
        tables.append(read_table(path))
    assert tables[0].equals(tables[1]) and tables[0].equals(tables[2])
    assert list(tables[0]["onset"]) == [1, 2]
    assert tables[0]["duration"].isna().tolist() == [True, False]
    assert tables[0]["label"].tolist() == ["None", "b"]


def run_hostile(count: int, folder: Path) -> None:
    """Read so many hostile folders; print and judge the outcomes."""
    outcomes: dict[str, list[str]] = {"error": [], "right": [], "silent": [], "traceback": []}
    for number, make in hostile.cases(count):
        word, text = hostile.outcome(number, make, folder / f"{number:04d}")
        outcomes[word].append(f"{number} {text}")
        shutil.rmtree(folder / f"{number:04d}")
    counts = {word: len(texts) for word, texts in outcomes.items()}
    print(f"hostile files: {count} ({', '.join(f'{n} {word}' for word, n in counts.items())})")
    assert not outcomes["traceback"], "\n".join(outcomes["traceback"][:20])
    assert not outcomes["silent"], "\n".join(outcomes["silent"][:20])
    assert counts["error"] > 0.3 * count and counts["right"] > 0.2 * count


def test_hostile_files_are_errors_or_right(tmp_path: Path) -> None:
    run_hostile(4 * len(hostile.FAULTS), tmp_path)


@pytest.mark.endurance
def test_two_thousand_hostile_files_are_errors_or_right(tmp_path: Path) -> None:
    run_hostile(2000, tmp_path)
