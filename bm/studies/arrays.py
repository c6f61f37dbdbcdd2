"""Study `arrays`: trials that are cut already, as arrays or epochs, in the formats of most labs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import mne
import numpy as np
import pandas as pd

from ..data.chunks import WHOLE
from ..data.preprocess import check_rate
from ..data.recording import FailedRecording, Kind, Recording, RecordingId
from ..data.stretches import TRIAL_EDGE
from ..errors import RecordingError, UserError
from ..readers import bids
from ..readers.array_file import ENDINGS
from ..readers.array_names import PER_TRIAL, role_of
from ..readers.array_trials import AXES, ArrayTrials, TrialOptions, Trials
from ..readers.epoch_trials import EPOCHS, EpochTrials
from ..readers.event_rules import check_labels, renamed
from ..readers.event_table import check_events, frame
from ..readers.file_names import warn_of_one_person
from ..readers.file_recording import FileRecording
from ..readers.folder_walk import is_packed, warn_of_packed
from ..readers.hidden import is_hidden, matches
from ..readers.raw import Reading
from ..registry import check_known, check_list
from . import STUDIES
from .base import Study
from .folder import IDS, compiled, montage_kinds

if TYPE_CHECKING:
    import re

logger = logging.getLogger(__name__)
#: Endings of a table with one row for each trial, behind the name of the file without its ending.
TABLES = (".csv", ".tsv", "_trials.csv", "_trials.tsv", "_labels.csv", "_labels.tsv")
#: Trials of one recording: half of what is preprocessed in memory, so that filters, which stop at
#: the edges of trials there, never go through a recording in parts.
BYTES = WHOLE // 2


class TrialRecording(FileRecording):
    """Trials of one person, session and split, one behind the other."""

    trials: Trials
    rows: np.ndarray
    labels: Mapping[str, Any] | None = None

    @property
    def part(self) -> str:
        """Return which trials of the file these are."""
        return f"{self.id.subject}/{self.id.session}/{self.id.run}"

    def signal_files(self) -> tuple[str, ...]:
        """Return all files: labels and signals may lie in one."""
        return self.source

    def open(self) -> mne.io.BaseRaw:
        """Return the trials joined; an annotation marks each edge, where filters stop."""
        trials = self.trials
        values = trials.read(self.rows).transpose(1, 0, 2).reshape(trials.n_channels, -1)
        raw = mne.io.RawArray(values, trials.info(self.id.kind), verbose="error")
        edges = np.arange(1, len(self.rows)) * trials.n_samples / trials.rate_hz
        return raw.set_annotations(mne.Annotations(edges, 0.0, TRIAL_EDGE))

    def adjust(self, raw: mne.io.BaseRaw) -> None:
        """Refuse values that are no numbers, by trial and channel; name shifted copies."""
        # The first trial is enough: real channels do not agree to the bit, not even in one.
        first = raw.get_data(stop=self.trials.n_samples)
        for k, (one, other) in enumerate(pairwise(first)):
            lag = shift_between(one, other)
            if lag:
                logger.warning(
                    "%s: channel %s is channel %s shifted by %d samples: was one channel cut into "
                    "several? name it in `exclude`",
                    *(self.path, raw.ch_names[k + 1], raw.ch_names[k], lag),
                )
        bad = np.argwhere(~np.isfinite(raw.get_data()))
        if len(bad):
            channel, sample = bad[0]
            row = self.rows[sample // self.trials.n_samples]
            count = len({s // self.trials.n_samples for s in bad[:, 1].tolist()})
            raise RecordingError(
                self.path,
                f"trial {row + 1}, channel {raw.ch_names[channel]} is not a number "
                f"({count} of {len(self.rows)} trials)",
                "leave these trials out of the file, or name the channel in `exclude`",
            )

    def events(self) -> pd.DataFrame:
        """Return trials in the order of the file; nothing of the signal is read."""
        trials = self.trials
        duration = len(self.rows) * trials.n_samples / trials.rate_hz
        return check_events(self._trials(), duration, self.path)

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return trials in the order of the file."""
        return self._trials()

    def _trials(self) -> pd.DataFrame:
        """Return kind, time, label and columns; the number of the trial in the file is `trial`."""
        trials = self.trials
        length = trials.n_samples / trials.rate_hz
        table = trials.table.iloc[self.rows]
        columns = [name for name in table if name not in ("part", "place", *PER_TRIAL[1:])]
        rows = []
        for number, values in enumerate(table[columns].to_dict("records")):
            row = {"kind": "trial", "start_s": number * length, "duration_s": length}
            rows.append({**row, "bounded": True, "trial": int(self.rows[number]), **values})
        events = frame(rows, ("bounded", "trial", "label"))
        if "split" in table:
            events["published_split"] = table["split"].tolist()
        return renamed(events, self.labels, self.path).reset_index(drop=True)

    def options(self) -> dict[str, Any]:
        """Return which trials, what is told of each, and how the file was understood."""
        trials = self.trials
        table = trials.table.iloc[self.rows].drop(columns=["part", "place"], errors="ignore")
        size = [trials.n_channels, trials.n_samples, trials.rate_hz, trials.unit]
        span = [int(i) for i in trials.span]  # type: ignore[attr-defined]
        labels = None if self.labels is None else dict(self.labels)
        channels = list(trials.info(self.id.kind)["ch_names"])
        rows = [int(row) for row in self.rows]
        return {"rows": rows, "table": table.to_csv(), "size": size, "span": span,
                "labels": labels, "names": channels}  # fmt: skip


@STUDIES.register("arrays")
class Arrays(Study):
    """Trials that are cut already: what most labs have after a pipeline of their own.

    The shortest entry is `{study: arrays, path: /data/X.npz, rate_hz: 250, unit: uV}`. `path` is a
    file or a folder, which is searched with everything below it for NumPy's `.npz` and `.npy`,
    MATLAB's `.mat` (any version), HDF5 (`.h5`, `.hdf5`), epochs of MNE (`-epo.fif`) and epoched
    sets of EEGLAB (`.set`). Pickles are never opened.

    **Arrays** have the axes (trials, channels, samples), or those that `axes` names. Which array is
    what is told by its name in any case: `X`, `data`, `signal`, `epochs`, `eeg`; `y`, `label`,
    `target`; `subject`; `session`; `split`; `fs`, `sfreq`, `rate`; `unit`; `channels`, `ch_names`
    (see `bm.readers.array_names.ROLES`). `train`, `valid` or `test` in a name (`X_train`,
    `test_label`) makes arrays of a split. `.npy` files belong together when they lie in one folder
    and begin alike: `s1_X.npy`, `s1_y.npy`. A table beside the file (`X.csv`, `X_trials.tsv`) with
    a row for each trial may hold label, subject, session, split and more.

    **Who.** A value for each trial; else groups of `pattern`, the BIDS name, the first folder below
    `path`, or the name of the file. **Split.** Where trials have a published split, `dset.split`
    uses it (its `published`): `ratios` then divide training trials into train and valid alone.

    **Windows** never cross trials: `dset.segment.offset_s` counts from the first sample of a trial,
    `duration_s: null` is all of it. Filters stop at the edges of trials, and each trial is
    resampled by itself.

    Args:
        path: file or folder; absolute, or below `paths.studies`.
        name: of the study in tables; None = the name of the file or folder.
        files: patterns below `path`, such as `["**/*.npz"]`; None = all known endings.
        kind: eeg, meg, seeg or ecog; None = what a file of epochs holds, else eeg.
        pattern: regular expression searched in the path below `path`, with groups subject, session
            or run.
        signal, label, subject, session, split: name of the array (or column of the table or of the
            metadata), or names by split: `{train: X1, test: X2}`. `label: auto` looks for it, null
            = there is none.
        columns: further arrays or columns with a value for each trial, for `segment.query` and
            `segment.values`.
        axes: trials, channels, samples in the order of the file; without channels = one channel.
        channels: their names, in order; None = of the file, else numbers from 1 on.
        rate_hz, unit: of the numbers (V, mV, uV, nV; T, pT, fT), unless the file says it.
        crop: first sample of each trial, and the one after the last, that are used.
        labels: label in the file -> label; trials with others are left out.
        exclude, rename, types, montage, bad_channels: see `Reading`.
    """

    name = "arrays"

    def __init__(
        self,
        root: Path | None = None,
        cache: Path | None = None,
        path: str = "arrays",
        name: str | None = None,
        files: Sequence[str] | None = None,
        kind: str | None = None,
        pattern: str | None = None,
        signal: str | Mapping[str, str] | None = None,
        label: str | Mapping[str, str] | None = "auto",
        subject: str | Mapping[str, str] | None = None,
        session: str | Mapping[str, str] | None = None,
        split: str | Mapping[str, str] | None = None,
        columns: Sequence[str] = (),
        axes: Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
        rate_hz: float | None = None,
        unit: str | None = None,
        crop: Sequence[int] | None = None,
        labels: Mapping[str, Any] | None = None,
        exclude: Sequence[str] = (),
        rename: Mapping[str, str] | None = None,
        types: Mapping[str, str] | None = None,
        montage: str | None = "auto",
        bad_channels: str = "mark",
    ) -> None:
        super().__init__(root, cache, path=(root or Path()) / Path(path).expanduser())
        if kind is not None:
            check_known("kind", kind, montage_kinds())
        check_axes(axes)
        check_list("files", files, "'**/*.npz'", least=1)
        check_list("channels", channels, "Cz", least=1)
        check_list("columns", columns, "age")
        check_labels(labels)
        check_rate("rate_hz", rate_hz)
        check_crop(crop)
        self.label, self.files, self.kind = name or self.folder.stem, files, kind
        self.pattern: re.Pattern[str] | None = compiled(pattern)
        choices = {"label": None if label == "auto" else label, "subject": subject,
                   "session": session, "split": split}  # fmt: skip
        names = {role: choice for role, choice in choices.items() if choice is not None}
        self.trial_options = TrialOptions(
            signal, names, columns, axes, channels, rate_hz, unit, crop, unlabelled=label is None
        )
        self.renamed_labels = labels
        self.reading = Reading(
            dict(types or {}), None, exclude, dict(rename or {}), montage, None, None, bad_channels
        )

    def recordings(self) -> Sequence[Recording]:
        """Return a recording for each person, session and split of each file.

        Raises:
            UserError: no such file or folder, nothing in it, or two recordings of one id.
        """
        if not self.folder.exists():
            raise UserError(f"study arrays: no {self.folder}; set the study's `path`")
        recordings: list[Recording] = []
        for path, members in self._files():
            recordings += self._of_file(path, members)
        if not recordings:
            kinds = ", ".join(self.files or (*ENDINGS, *EPOCHS[:1], ".set"))
            raise UserError(f"study arrays: no file of trials in {self.folder} ({kinds})")
        first: dict[str, TrialRecording] = {}
        for recording in recordings:
            if not isinstance(recording, TrialRecording):
                continue
            other = first.setdefault(recording.id.name, recording)
            if other.path != recording.path:
                raise UserError(
                    f"study arrays: {other.path} and {recording.path} are both "
                    f"{recording.id.name}; tell them apart by `pattern`, or choose by `files`"
                )
            if other is not recording:
                raise UserError(
                    f"study arrays: {recording.path}: {other.id.subject}/{other.id.session} and "
                    f"{recording.id.subject}/{recording.id.session} would both be called "
                    f"{recording.id.name}; rename one"
                )
        if self.pattern is None:
            named = {one.path: one.id for one in first.values() if one.path.parent == self.folder}
            alone = [
                one.subject for path, one in named.items() if path.name.startswith(one.subject)
            ]
            warn_of_one_person(self.folder, alone)
        return recordings

    # files --------------------------------------------------------------------------------

    def _files(self) -> list[tuple[Path, dict[str, Path]]]:
        """Return files of trials, and for `.npy` those that belong to each, by name."""
        if self.folder.is_file():
            paths = [self.folder]
            if self.folder.suffix.lower() == ".npy":
                # A .npy file holds a single array: labels and subjects lie in others beside it.
                paths = sorted(self.folder.parent.glob("*.npy"))
        else:
            globs = self.files if self.files is not None else ("**/*",)
            paths = sorted({path for glob in globs for path in matches(self.folder, glob)})
        paths = [path for path in paths if path.is_file() and not is_hidden(path.name)]
        packed = [path for path in paths if not is_trials(path) and is_packed(path, is_trials)]
        warn_of_packed(self.folder, packed)
        singles = [
            (path, dict[str, Path]())
            for path in paths
            if path.suffix.lower() != ".npy" and (self.files is not None or is_trials(path))
        ]
        groups = npy_groups([path for path in paths if path.suffix.lower() == ".npy"])
        if self.folder.is_file():
            groups = [group for group in groups if self.folder in group[1].values()]
        return sorted([*singles, *groups], key=lambda pair: pair[0])

    def _of_file(self, path: Path, members: Mapping[str, Path]) -> list[Recording]:
        try:
            trials = self._open(path, members)
        except RecordingError as error:
            subject, session, run = self._ids(path)
            identity = RecordingId(self.label, subject, session, run, self._kind(None))
            return [FailedRecording(identity, error)]
        return self._recordings(path, trials)

    def _open(self, path: Path, members: Mapping[str, Path]) -> Trials:
        options = self.trial_options
        if path.suffix.lower() == ".set" or path.name.lower().endswith((".fif", ".fif.gz")):
            return EpochTrials(path, options)
        stem = path.with_suffix("")
        tables = [stem.with_name(stem.name + ending) for ending in TABLES]
        table = next((one for one in tables if one.is_file()), None)
        trials = ArrayTrials(path, options, members or None, table)
        if "label" not in trials.table and not options.unlabelled:
            listed = ", ".join(f"{n} {h.shape}" for n, h in list(trials.file.headers.items())[:8])
            raise RecordingError(
                path, f"no labels (it has {listed})", "name them: the study's `label`, or null"
            )
        return trials

    def _recordings(self, path: Path, trials: Trials) -> list[Recording]:
        """Split the trials of a file by person, session and split, and long parts once more."""
        subject, session, run = self._ids(path)
        table = trials.table
        parts: dict[tuple[str, str, str], list[int]] = {}
        columns = [
            table[role].astype(str) if role in table else [default] * len(table)
            for role, default in (("subject", subject), ("session", session), ("split", ""))
        ]
        for row, key in enumerate(zip(*columns, strict=True)):
            parts.setdefault(key, []).append(row)
        recordings: list[Recording] = []
        # 8 bytes: MNE holds values as float64, whatever the type in the file.
        limit = max(1, BYTES // (8 * trials.n_channels * trials.n_samples))
        for (person, day, split), rows in parts.items():
            cuts = [rows[first : first + limit] for first in range(0, len(rows), limit)]
            for number, cut in enumerate(cuts):
                words = [run if run != "0" else "", split, str(number) if len(cuts) > 1 else ""]
                name = "-".join(word for word in words if word) or "0"
                identity = RecordingId(self.label, person, day, name, self._kind(trials))
                recordings.append(self._recording(identity, path, trials, cut))
        return recordings

    def _recording(
        self, identity: RecordingId, path: Path, trials: Trials, rows: list[int]
    ) -> TrialRecording:
        reading = self.reading
        reading = Reading(**{**vars(reading), "unit": trials.unit})
        beside = tuple(part for part in trials.parts if part != path)
        recording = TrialRecording(identity, path, reading, beside)
        recording.trials, recording.rows = trials, np.asarray(rows)
        recording.labels = recording.chosen_labels = self.renamed_labels
        return recording

    # ids ----------------------------------------------------------------------------------

    def _ids(self, path: Path) -> tuple[str, str, str]:
        """Return subject, session and run as the path says them."""
        root = self.folder.parent if self.folder.is_file() else self.folder
        below = path.relative_to(root)
        stem = path.name
        for ending in (*EPOCHS, path.suffix):
            stem = stem.removesuffix(ending)
        if path.suffix.lower() == ".npy":
            stem = split_stem(stem)[0] or stem
        if self.pattern is not None:
            match = self.pattern.search(below.as_posix())
            if match is None:
                raise UserError(f"study arrays: `pattern` does not fit {below}; see also `files`")
            groups = {k: v for k, v in match.groupdict().items() if v is not None and k in IDS}
            return groups.get("subject", stem), groups.get("session", "0"), groups.get("run", "0")
        entities = bids.entities(stem)
        if "sub" in entities:
            rest = [f"{k}-{v}" for k, v in entities.items() if k not in ("sub", "ses")]
            return entities["sub"], entities.get("ses", "0"), "_".join(rest) or "0"
        if len(below.parts) > 1:
            return below.parts[0], "0", "-".join((*below.parts[1:-1], stem))
        return stem, "0", "0"

    def _kind(self, trials: Trials | None) -> Kind:
        if self.kind is not None:
            return cast(Kind, self.kind)
        if isinstance(trials, EpochTrials):
            types = set(trials.info("eeg").get_channel_types())
            for kind, names in (("eeg", {"eeg"}), ("meg", {"mag", "grad"}), ("seeg", {"seeg"}),
                                ("ecog", {"ecog"})):  # fmt: skip
                if types & names:
                    return cast(Kind, kind)
        return "eeg"


def shift_between(one: np.ndarray, other: np.ndarray) -> int:
    """Return by how many samples a channel (T,) is exactly another one, 0 when it is not.

    An array that was reshaped with a wrong step looks so: real channels never agree to the bit.
    """
    if np.ptp(one) == 0:
        return 0
    for first, second, sign in ((one, other, 1), (other, one, -1)):
        # Half of the samples must agree, so that a few equal ones are not taken for a copy.
        for lag in np.flatnonzero(first[: len(first) // 2] == second[0]).tolist():
            if lag and np.array_equal(first[lag:], second[: len(second) - lag]):
                return int(sign * lag)
    return 0


def check_crop(crop: Sequence[int] | None) -> None:
    """Raise `UserError` unless `crop` is two whole numbers of samples."""
    whole = not isinstance(crop, str) and all(type(one) is int for one in crop or ())
    if crop is not None and not (whole and len(crop) == 2):
        raise UserError(f"study arrays: crop={crop!r}; use two samples, such as [0, 250]")


def check_axes(axes: Sequence[str] | None) -> None:
    """Raise `UserError` unless axes are a permutation of trials, channels and samples."""
    valid: Callable[[Sequence[str]], bool] = lambda names: (  # noqa: E731
        sorted(names) in (sorted(AXES), ["samples", "trials"])
    )
    if axes is not None and (isinstance(axes, str) or not valid(list(axes))):
        raise UserError(
            f"study arrays: axes={axes}; use trials, channels, samples in the order of the file, "
            "or trials and samples for one channel"
        )


def is_trials(path: Path) -> bool:
    """Return whether the name of a file is that of trials; of a FIF of several parts the first."""
    name = path.name.lower()
    # MNE splits FIF files beyond 2 GB; it reads all parts when the first one is opened.
    if "split-" in name and "split-01" not in name:
        return False
    return name.endswith((*ENDINGS, *EPOCHS, ".set"))


def split_stem(stem: str) -> tuple[str, str]:
    """Return the start of a name, and the name of the array at its end.

    >>> split_stem("s1_X_train"), split_stem("mine")
    (('s1', 'X_train'), ('', 'mine'))
    """
    words = stem.split("_")
    ends = ["_".join(words[first:]) for first in range(len(words))]
    name = next((end for end in ends if role_of(end) is not None), stem)
    return stem[: len(stem) - len(name)].rstrip("_"), name


def npy_groups(paths: Sequence[Path]) -> list[tuple[Path, dict[str, Path]]]:
    """Return `.npy` files that belong together: that of the signal, and name -> file of all.

    Files of one folder belong together when what stands before the name of a role is the same:
    `s1_X_train.npy`, `s1_y_train.npy`. A file without any such name stands for itself.
    """
    groups: dict[tuple[Path, str], dict[str, Path]] = {}
    for path in paths:
        prefix, name = split_stem(path.stem)
        groups.setdefault((path.parent, prefix), {})[name] = path
    pairs = []
    for members in groups.values():
        roles = {name: (role_of(name) or ("", ""))[0] for name in members}
        signal = next((name for name, role in roles.items() if role == "signal"), None)
        signal = signal or next((name for name, role in roles.items() if not role), None)
        if signal is None:
            logger.warning("%s: no signal beside it; left out", next(iter(members.values())))
            continue
        pairs.append((members[signal], members))
    return pairs
