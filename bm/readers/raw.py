"""Opening of a recording's file: any format of MNE, or a table of samples; named errors."""

from __future__ import annotations

import logging
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import mne

from ..data.preprocess import check_positive, standard_name
from ..errors import SHOWN, RecordingError, UserError, there_is
from ..registry import check_known, check_list, check_mapping
from . import edf
from .event_table import read_layout
from .file_length import check_length
from .sample_table import open_table

logger = logging.getLogger(__name__)
#: Endings that are recordings by themselves; what lies beside them (.eeg, .vmrk, .fdt) is not.
ENDINGS = (
    *(".edf", ".bdf", ".gdf", ".vhdr", ".set", ".fif", ".sqd", ".con", ".cnt", ".mff", ".ds"),
    *(".csv", ".nedf", ".lay", ".ahdr", ".cdt", ".nxe"),
)
#: Endings of recordings that nothing here reads; a search names them.
FOREIGN = (".xdf", ".nwb", ".mefd", ".trc", ".e", ".poly5", ".smr", ".smrx", ".plx", ".abf")
#: What MNE says of annotations outside of the data and of channels that have one name, and of an
#: ending that it does not know.
OMITTED = re.compile(r"(Omitted|Limited) \d+ annotation|Channel names are not unique")
UNKNOWN = re.compile(r"Got \S* as input|.*[Uu]nsupported file type")
#: What MNE says of epochs, averages and other results in the place of a recording.
NO_RAW = re.compile(r"No raw data in|number of trials is \d+")
UNITS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "nV": 1e-9, "T": 1.0, "fT": 1e-15, "pT": 1e-12}


@dataclass(frozen=True)
class Reading:
    """How the files of a study are read.

    Attributes:
        types: pattern of channel names -> MNE type (eog, ecg, emg, stim, misc, eeg, seeg, ...).
        channels: names to keep, as written in the file or cleaned; None = all of the kind.
        exclude: patterns of names, as written in the file or cleaned, that are left out.
        rename: name, as written in the file or cleaned -> name.
        montage: MNE's name; auto = the file's own positions, else `standard_1005` where at least
            half of the names are in it; None = the file's own only.
        unit: of the samples, where the file is wrong about it or says nothing; None = as it says.
        rate_hz: of a table of samples (.csv), which has no header.
        old_names: of T3, T4, T5 and T6: modern (T7, T8, P7, P8) or keep.
        bad_channels: mark (keep flat and doubled channels, listed in `info["bads"]`) or error.
    """

    types: Mapping[str, str] = field(default_factory=dict)
    channels: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    montage: str | None = "auto"
    unit: str | None = None
    rate_hz: float | None = None
    bad_channels: str = "mark"
    old_names: str = "modern"

    def plain(self) -> dict[str, object]:
        """Return the fields, without those that came later and say nothing new."""
        fields = dict(vars(self))
        if self.old_names == "modern":
            del fields["old_names"]
        return fields

    def __post_init__(self) -> None:
        check_list("channels", self.channels, "Cz", least=1)
        check_list("exclude", self.exclude, "'EOG*'")
        check_mapping("types", self.types, "'DC*': misc")
        check_mapping("rename", self.rename, "Cz: CZ")
        types = mne.io.get_channel_type_constants()
        for pattern, kind in self.types.items():
            check_known(f"types: type of {pattern}", str(kind), types)
        if self.rate_hz is not None:
            check_positive("rate_hz", self.rate_hz)
        check_known("old_names", self.old_names, ("modern", "keep"))
        if self.unit is not None:
            check_known("unit", self.unit, UNITS)
        check_known("bad_channels", self.bad_channels, ("mark", "error"))


def matches(name: str, patterns: Sequence[str] | Mapping[str, str]) -> str | None:
    """Return the first pattern that fits a channel name in either case, or None."""
    return next((p for p in patterns if fnmatch(name.upper(), p.upper())), None)


def left_out_of(names: Sequence[str], reading: Reading, path: Path) -> list[str]:
    """Return the channels that `exclude` leaves out; a pattern that fits none goes to the log."""
    # Published lists name whatever a corpus may hold, and most of it is in no single file.
    if len(reading.exclude) <= SHOWN:
        spelled = [*names, *map(standard_name, names)]
        for pattern in reading.exclude:
            if not any(matches(name, [pattern]) for name in spelled):
                logger.warning(
                    "%s: exclude: %r fits no channel; %s", path, pattern, there_is(names, pattern)
                )
    left_out = [name for name in names if matches(name, reading.exclude)]
    if left_out and len(left_out) == len(names):
        raise RecordingError(path, "`exclude` leaves no channel", "change it")
    return left_out


def open_raw(path: Path, reading: Reading) -> mne.io.BaseRaw:
    """Open the recording in a file; samples are not read yet where the format allows it.

    Raises:
        RecordingError: missing, empty, truncated, damaged or of another kind; channels of
            different rates.
    """
    check_length(path)
    if path.suffix.lower() == ".csv":
        if reading.rate_hz is None or reading.unit is None:
            raise UserError(
                f"{path}: a table of samples says neither rate nor unit; give the study's "
                "`rate_hz` and `unit`"
            )
        names = left_out_of(read_layout(path).names, reading, path)
        return open_table(path, names, reading.rate_hz, UNITS[reading.unit])
    if path.suffix.lower() in (".edf", ".bdf", ".gdf"):
        _check_rates(path, reading)
    try:
        with warnings.catch_warnings(record=True) as caught:
            # What MNE warns of here (montages, filter settings) is checked by us.
            warnings.simplefilter("ignore")
            warnings.filterwarnings("always", message=OMITTED.pattern)
            raw = _open(path, reading)
    except (MemoryError, KeyboardInterrupt, UserError):
        raise
    except Exception as error:
        # MNE's readers raise anything from IndexError to UnicodeDecodeError on a damaged file.
        raise _refusal(path, error) from error
    for warning in caught:
        if OMITTED.match(str(warning.message)):
            logger.warning("%s: %s", path, " ".join(str(warning.message).split()))
    _check_samples(path, raw)
    return raw


def _refusal(path: Path, error: Exception) -> RecordingError:
    """Return why MNE cannot read a file, with the remedy that fits."""
    text = " ".join(str(error).split())[:200]
    reason = f"cannot be read ({type(error).__name__}: {text})"
    if isinstance(error, ImportError) or "is required" in text:
        return RecordingError(path, reason, "install that package")
    if isinstance(error, PermissionError):
        return RecordingError(path, reason, "change its permissions")
    if isinstance(error, UnicodeDecodeError) and path.suffix.lower() in (".vhdr", ".ahdr"):
        return RecordingError(path, reason, "save its header and markers as UTF-8")
    if UNKNOWN.match(text):
        reason = f"files with the ending {path.suffix or '(none)'} are not read"
        return RecordingError(path, reason, "convert it to FIF, EDF or BrainVision")
    if NO_RAW.search(text):
        return RecordingError(path, reason, "leave it out by `files`; dset=arrays reads trials")
    return RecordingError(path, reason, "fetch or export it again")


def _open(path: Path, reading: Reading) -> mne.io.BaseRaw:

    # At `error` MNE would not tell of annotations that it omits either.
    quiet = {"verbose": "warning"}
    if path.suffix.lower() in (".edf", ".bdf", ".gdf"):
        # Left out while opening: a channel of another rate would make MNE resample all others.
        names = edf.read_header(path).names
        left_out = left_out_of(names, reading, path)
        reader = getattr(mne.io, f"read_raw_{path.suffix.lower()[1:]}")
        return reader(path, exclude=left_out, **quiet)
    if "pdf" in path.name and not path.suffix:
        return _open_bti(path)
    if path.suffix.lower() == ".data":
        raw = mne.io.read_raw_nicolet(path, ch_type="eeg", **quiet)
        return raw.drop_channels(left_out_of(raw.ch_names, reading, path))
    raw = mne.io.read_raw(path, **quiet)
    if reading.rate_hz is not None and float(reading.rate_hz) != float(raw.info["sfreq"]):
        # Said once a recording: a rate that a file states is not changed by the study.
        logger.warning(
            "%s: recorded at %g Hz; rate_hz=%g is of tables of samples alone",
            *(path, raw.info["sfreq"], reading.rate_hz),
        )
    left_out = left_out_of(raw.ch_names, reading, path)
    return raw.drop_channels(left_out) if left_out else raw


def _open_bti(path: Path) -> mne.io.BaseRaw:
    """Open 4D/BTi: `config` and head shape lie beside, named after the data or plainly."""
    config, shape = (path.with_name(path.name.replace("pdf", word)) for word in ("config", "hs"))
    config = config if config.exists() else path.with_name("config")
    plain = path.with_name("hs_file")
    head = shape if shape.exists() else plain if plain.exists() else None
    return mne.io.read_raw_bti(
        path.resolve(), config.resolve(), head and head.resolve(), verbose="error"
    )


def _check_rates(path: Path, reading: Reading) -> None:
    """Raise unless channels have one rate: MNE resamples all to the highest without a word."""
    header = edf.read_header(path)
    empty = [name for name in header.without_range if not matches(name, reading.exclude)]
    if empty:
        reason = f"its least and largest value are the same in {', '.join(empty[:5])}"
        raise RecordingError(path, reason, "name them in the study's `exclude`")
    rates = header.rates()
    rates = [(name, rate) for name, rate in rates if not matches(name, reading.exclude)]
    values = [rate for _, rate in rates]
    if len(set(values)) > 1:
        most = max(values, key=values.count)
        other = [f"{name} {rate:g} Hz" for name, rate in rates if rate != most]
        raise RecordingError(
            path,
            f"channels of different rates: {most:g} Hz, but {', '.join(other[:5])}",
            "name them in the study's `exclude`",
        )


def _check_samples(path: Path, raw: mne.io.BaseRaw) -> None:
    """Raise unless there are samples, and a `.fdt` file beside `.set` is as long as promised."""
    rate = float(raw.info["sfreq"])
    if not 0 < rate < math.inf:
        raise RecordingError(path, f"a sampling rate of {rate:g} Hz", edf.FETCH)
    if raw.n_times < 2:
        raise RecordingError(path, f"{raw.n_times} samples", "leave it out")
    for data in (Path(name) for name in raw.filenames if name is not None):
        # EEGLAB keeps samples beside the header, as float32; MNE reads what is there.
        promised = 4 * raw.n_times * len(raw.ch_names)
        if data.suffix.lower() == ".fdt" and data.stat().st_size != promised:
            size = data.stat().st_size
            raise RecordingError(data, f"{size} of {promised} promised bytes", edf.FETCH)
