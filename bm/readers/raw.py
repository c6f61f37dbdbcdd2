"""Opening of a recording's file: any format of MNE, or a table of samples; named errors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import mne

from ..errors import RecordingError, UserError
from ..registry import check_known
from . import edf
from .event_table import read_layout
from .file_length import check_length
from .sample_table import open_table

#: Endings that are recordings by themselves; what lies beside them (.eeg, .vmrk, .fdt) is not.
ENDINGS = (
    *(".edf", ".bdf", ".gdf", ".vhdr", ".set", ".fif", ".sqd", ".con", ".cnt", ".mff", ".ds"),
    *(".csv", ".nedf", ".lay", ".ahdr"),
)
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

    def __post_init__(self) -> None:
        if self.unit is not None:
            check_known("unit", self.unit, UNITS)
        check_known("bad_channels", self.bad_channels, ("mark", "error"))


def matches(name: str, patterns: Sequence[str] | Mapping[str, str]) -> str | None:
    """Return the first pattern that fits a channel name in either case, or None."""
    return next((p for p in patterns if fnmatch(name.upper(), p.upper())), None)


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
        names = [name for name in read_layout(path).names if matches(name, reading.exclude)]
        return open_table(path, names, reading.rate_hz, UNITS[reading.unit])
    if path.suffix.lower() in (".edf", ".bdf", ".gdf"):
        _check_rates(path, reading)
    try:
        with warnings.catch_warnings():
            # What MNE warns of here (montages, filter settings, annotations) is checked by us.
            warnings.simplefilter("ignore")
            raw = _open(path, reading)
    except (MemoryError, KeyboardInterrupt, UserError):
        raise
    except Exception as error:
        # MNE's readers raise anything from IndexError to UnicodeDecodeError on a damaged file.
        text = " ".join(str(error).split())[:200]
        reason = f"cannot be read ({type(error).__name__}: {text})"
        raise RecordingError(path, reason, "fetch or export it again") from error
    _check_samples(path, raw)
    return raw


def _open(path: Path, reading: Reading) -> mne.io.BaseRaw:

    quiet = {"verbose": "error"}
    if path.suffix.lower() in (".edf", ".bdf", ".gdf"):
        # Left out while opening: a channel of another rate would make MNE resample all others.
        names = edf.read_header(path).names
        left_out = [name for name in names if matches(name, reading.exclude)]
        reader = getattr(mne.io, f"read_raw_{path.suffix.lower()[1:]}")
        return reader(path, exclude=left_out, **quiet)
    if "pdf" in path.name and not path.suffix:
        return _open_bti(path)
    raw = mne.io.read_raw(path, **quiet)
    left_out = [name for name in raw.ch_names if matches(name, reading.exclude)]
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
    rates = edf.read_header(path).rates()
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
    if raw.n_times < 2:
        raise RecordingError(path, f"{raw.n_times} samples", "leave it out")
    if path.suffix.lower() == ".set":
        # EEGLAB keeps samples beside the header, as float32; MNE reads what is there.
        data = path.with_suffix(".fdt")
        promised = 4 * raw.n_times * len(raw.ch_names)
        named = [Path(name) for name in raw.filenames if name is not None]
        if data in named and data.stat().st_size != promised:
            size = data.stat().st_size
            raise RecordingError(data, f"{size} of {promised} promised bytes", edf.FETCH)
