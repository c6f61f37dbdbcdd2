"""Study `folder`: your own recordings, in any format that MNE reads."""

from __future__ import annotations

import glob
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from ..data.faults import of_recording
from ..data.recording import EVENT_KINDS, FailedRecording, Kind, Recording, RecordingId
from ..errors import RecordingError, UserError, there_is
from ..readers import bids, montage
from ..readers.event_rules import SOURCES, STIM_RULES, EventRules
from ..readers.event_table import frame
from ..readers.file_names import warn_of_one_person
from ..readers.file_recording import FileRecording
from ..readers.folder_walk import Walk
from ..readers.raw import ENDINGS, Reading
from ..registry import check_file_name, check_known, check_list, check_mapping
from . import STUDIES
from .base import Study

if TYPE_CHECKING:
    import mne

logger = logging.getLogger(__name__)
IDS = ("subject", "session", "run", "group")
#: Formats of MEG devices alone (KIT, CTF).
MEG_ENDINGS = (".sqd", ".con", ".ds")


class UserRecording(FileRecording):
    """A file of the user's, with its sidecars."""

    rules = EventRules()
    sidecars = bids.Sidecars()
    extra: Mapping[str, Any] = {}
    #: Whether neither the study nor the folder says what is recorded; the file then does.
    guesses_kind = False
    _kind_of_file: Kind | None = None

    def open(self) -> mne.io.BaseRaw:
        """Open the file, with types and bad channels of its sidecars."""
        raw = super().open()
        if self.sidecars.description is not None:
            bids.apply_description(raw, self.sidecars.description)
        if self.sidecars.channels is not None:
            bids.apply_channels(raw, self.sidecars.channels, self.id.kind)
        self._guess_kind(raw.get_channel_types())
        return raw

    @property
    def data_kind(self) -> Kind:
        """What the study or folder says, else what the file does."""
        return self._kind_of_file or self.id.kind

    def _guess_kind(self, types: Sequence[str]) -> None:
        kind = montage.kind_of_types(types) if self.guesses_kind else None
        if kind in (None, self.id.kind, self._kind_of_file):
            return
        self._kind_of_file = cast(Kind, kind)
        logger.info("%s: read as %s by the types of its channels", self.path, kind)

    def adjust(self, raw: mne.io.BaseRaw) -> None:
        """Place electrodes by electrodes.tsv, before the file itself, unless a montage is named.

        Marks of bad stretches and joins in the table of events become annotations.
        """
        tables = self.sidecars
        if self.path_of_events != self.path:
            for start, length, text in self.rules.marks(self.path_of_events):
                raw.annotations.append(start + raw.first_time, length, text)
        if tables.electrodes is not None and self.reading.montage == "auto":
            bids.apply_electrodes(raw, tables.electrodes, tables.coordinates, self.id.kind)

    @property
    def path_of_events(self) -> Path:
        """The table of the events, where they are read from one."""
        table = self.sidecars.events if self.rules.events in ("auto", "tsv") else None
        return self.path if table is None or self.rules.stim else table

    def options(self) -> dict[str, Any]:
        """Return the rules of events, and what is known of the person and from the name."""
        return {"rules": asdict(self.rules), **self.sidecars.person, **self.extra}

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return events by the rules, and one of kind `block` over the whole recording.

        Every row has the columns of participants.tsv and of the file's name.
        """
        rules, table = self.rules, self.sidecars.events
        events = rules.read(raw, self.path, table, self.reading.rate_hz)
        events = rules.rename_labels(events, self.path)
        if not len(events) or not (events["kind"] == "block").any():
            whole = raw.n_times / float(raw.info["sfreq"])
            block = {"kind": "block", "start_s": 0.0, "duration_s": whole}
            events = pd.concat([events, frame([block])], ignore_index=True)
        person = {k: v for k, v in self.sidecars.person.items() if k not in events}
        blocks = events["kind"] == "block"
        for name, value in {**person, **self.extra}.items():
            # A label of the whole file is not the label of the trials in it.
            if name == "label" and name in events:
                events[name] = events[name].astype(object).where(~blocks, value)
            else:
                events[name] = value
        return events


@STUDIES.register("folder")
class Folder(Study):
    r"""Your own recordings: a folder, searched with everything below it.

    The shortest entry is `{study: folder, path: /data/mine}`. A recording is every file of EDF,
    BDF, GDF, BrainVision (`.vhdr`, `.ahdr`), EEGLAB (`.set`), FIF (also `.fif.gz`), KIT (`.sqd`,
    `.con`), CTF (`.ds`), 4D/BTi, Neuroscan or ANT (`.cnt`), Curry (`.cdt`), EGI (`.mff`), Nicolet
    (`.data` with `.head`), Persyst (`.lay`), NEDF and eXimia (`.nxe`), and a table of samples
    (`.csv`) when `rate_hz` and `unit` are given; MNE says which package a format needs. A bad file
    is named and skipped; `strict: true` of the dataset stops at it.

    **Who.** In a BIDS folder the name says it (`sub-01_ses-2_task-rest_run-1_eeg.edf`). Elsewhere
    the first folder below `path` is the subject (a file directly in `path` is a subject of its
    own) and the rest of the name is the run. `pattern`, a regular expression that is searched in
    the path below `path`, says it better:
    `pattern: '(?P<subject>S\d+)/day(?P<session>\d)_(?P<label>rest|task)'`. Its groups subject,
    session, run and group are the ids; any other group becomes a column of the events, so `label`
    here is the label of the whole file.

    **Events.** From the first of: a trigger channel (`stim`), a table, the file's annotations. The
    table is `<name>_events.tsv`, `<name>.tsv` or `<name>_events.csv` beside the recording, with
    `onset` and `duration` in seconds from the first sample (or `start_s`, `duration_s`); the label
    is the column `label`, else `trial_type`, else `value`, or `label_column`; a column `kind`
    (trial, word, sentence, sound, phoneme, block, special) mixes several sorts. There always is an
    event of kind `block` over the whole recording. The columns of `participants.tsv` in `path` are
    columns of all events: `segment: {kind: block, label: diagnosis, ...}` learns a diagnosis.
    `labels: {T1: left, T2: right}` renames labels and leaves out all others.

    **Channels.** Types come from the file, then `channels.tsv` (`status: bad` marks a channel),
    then from names (EOG, ECG, EMG, triggers), and `types: {"DC*": misc}` overrules them. Only
    channels of `kind` are data. Names are cleaned (`EEG Fp1-REF` is Fp1, `T3` is T7).
    Positions come from `electrodes.tsv` (unit in coordsystem.json), then the file, then the
    10-05 system where at least half of the names are in it; otherwise they are unknown.

    **Trust.** Truncated files, NaN, channels of different rates, amplitudes far from the unit,
    events outside the recording or on a clock that restarts are errors that say what to do; flat
    and doubled channels are listed as bad and named in the log.

    Args:
        path: the folder; absolute, or below `paths.studies`.
        name: of the study in tables; None = the folder's name.
        files: patterns below `path`, such as `["**/*.edf"]`; None = all known endings.
        kind: eeg, meg, seeg or ecog; None = by folder (`meg/`, `ieeg/`) and ending, else by the
            types of the channels in the file where these are of one kind, else eeg.
        pattern: regular expression with named groups, see above.
        group_column: column of participants.tsv that must not be torn by a split (family, site).
        events: auto, tsv, annotations, stim or none.
        event_kind: of events whose table does not say.
        label_column: column of the label; in a table of samples its runs are blocks.
        labels: label in the file -> label.
        stim: trigger channel, never an input: each new code but zero is an event.
        stim_rule: changes, or rising: codes below the one before are no events, and counted.
        types, channels, exclude, rename, montage, rate_hz, bad_channels, old_names: see `Reading`.
        unit: V, mV, uV or nV (T, pT, fT) of the numbers, when the file is wrong about it.
    """

    name = "folder"

    def __init__(
        self,
        root: Path | None = None,
        cache: Path | None = None,
        path: str = "folder",
        name: str | None = None,
        files: Sequence[str] | None = None,
        kind: str | None = None,
        pattern: str | None = None,
        group_column: str | None = None,
        events: str = "auto",
        event_kind: str = "trial",
        label_column: str | None = None,
        labels: Mapping[str, Any] | None = None,
        stim: str | None = None,
        stim_rule: str = "changes",
        types: Mapping[str, str] | None = None,
        channels: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        rename: Mapping[str, str] | None = None,
        montage: str | None = "auto",
        unit: str | None = None,
        rate_hz: float | None = None,
        bad_channels: str = "mark",
        old_names: str = "keep",
    ) -> None:
        super().__init__(root, cache, path=(root or Path()) / Path(path).expanduser())
        check_known("events", events, SOURCES)
        check_list("files", files, "'**/*.edf'", least=1)
        check_mapping("types", types, "'DC*': misc")
        check_mapping("rename", rename, "Cz: CZ")
        check_list("exclude", exclude, "'EOG*'")
        check_known("stim_rule", stim_rule, STIM_RULES)
        EVENT_KINDS.get(event_kind)
        if kind is not None:
            check_known("kind", kind, montage_kinds())
        self.label, self.files, self.kind = self.folder.name, files, kind
        if name is not None:
            self.label = check_file_name("name", str(name))
        self.group_column = group_column
        self.pattern = compiled(pattern)
        self.rules = EventRules(events, event_kind, label_column, labels, stim, stim_rule)
        # Whatever the file calls it, the channel of the triggers is no signal.
        trigger = {} if stim is None else {glob.escape(stim): "stim"}
        self.reading = Reading(
            {**trigger, **(types or {})},
            channels,
            # In a table of samples the column of the label is no channel.
            tuple([*exclude, *([label_column] if label_column and rate_hz else [])]),
            dict(rename or {}),
            montage,
            unit,
            rate_hz,
            bad_channels,
            old_names,
        )

    def recordings(self) -> Sequence[Recording]:
        """Return all files in order of their names; those that cannot be read fail by themselves.

        Raises:
            UserError: no such folder, no recording in it, or two files of one id.
            RecordingError: a damaged participants.tsv.
        """
        if not self.folder.is_dir():
            raise UserError(f"study folder: no folder {self.folder}; set the study's `path`")
        paths, errors, tables = self._paths()
        if not paths and not errors:
            kinds = ", ".join(self.files) if self.files else f"endings {', '.join(ENDINGS)}"
            text = f"study folder: no recording in {self.folder} ({kinds})"
            if tables:
                text += f"; if {tables[0].name} is a table of samples, give `rate_hz` and `unit`"
            raise UserError(text)
        people = bids.read_participants(self.folder)
        listing = bids.Listing()
        recordings = [self._listed(path, people, listing) for path in paths]
        if (
            recordings
            and people
            and not any(bids.person_of(one.id.subject, people) for one in recordings)
        ):
            logger.warning(
                "%s: none of its people is in the recordings (%s, as %s)",
                *(self.folder / "participants.tsv", there_is(people), recordings[0].id.subject),
            )
        if self.pattern is None:
            alone = [path.stem for path in paths if path.parent == self.folder]
            names = [name for name in alone if "sub" not in bids.entities(bids.prefix(name))]
            warn_of_one_person(self.folder, names)
        first: dict[str, Path] = {}
        for recording, path in zip(recordings, paths, strict=True):
            other = first.setdefault(recording.id.name, path)
            if other != path:
                raise UserError(
                    f"study folder: {other} and {path} are both {recording.id.name}; "
                    "tell them apart by `pattern`, or choose by `files`"
                )
        return [*recordings, *(self._failed(Path(error.path), error) for error in errors)]

    def _paths(self) -> tuple[list[Path], list[RecordingError], list[Path]]:
        """Return paths of recordings, what cannot be read, and tables that are not taken."""
        walk = Walk(self.folder, self.reading.rate_hz is not None, self.files).search()
        return walk.paths, walk.errors, walk.spare_tables

    def _failed(self, path: Path, error: RecordingError) -> FailedRecording:
        below = path.relative_to(self.folder) if path.is_relative_to(self.folder) else path
        run = "-".join(below.parts) or "folder"
        return FailedRecording(RecordingId(self.label, path.stem, "0", run), error)

    def _listed(self, path: Path, people: Mapping[str, Any], listing: bids.Listing) -> Recording:
        try:
            with of_recording(path, self.cache):
                return self._recording(path, people, listing)
        except RecordingError as error:
            return self._failed(path, error)

    def _recording(
        self, path: Path, people: Mapping[str, Any], listing: bids.Listing
    ) -> UserRecording:
        ids, extra = self._ids(path)
        beside = bids.sidecars(path, self.folder, ids["subject"], people, listing)
        if self.group_column is not None:
            if self.group_column not in beside.person:
                reason = f"{ids['subject']} has no {self.group_column!r}"
                raise RecordingError(self.folder / "participants.tsv", reason, "add it")
            group = beside.person[self.group_column]
            # Who has no group is one of his own.
            ids["group"] = "" if group is None or group != group else str(group)
        identity = RecordingId(
            self.label,
            ids["subject"],
            ids["session"],
            ids["run"],
            self._kind(path, beside),
            ids["group"],
        )
        halves = other_halves(path)
        recording = UserRecording(identity, path, self.reading, (*halves, *beside.paths()))
        recording.rules, recording.sidecars, recording.extra = self.rules, beside, extra
        recording.chosen_labels = self.rules.labels
        recording.guesses_kind = self.kind is None and identity.kind == "eeg"
        return recording

    def _ids(self, path: Path) -> tuple[dict[str, str], dict[str, Any]]:
        below = path.relative_to(self.folder)
        entities = bids.entities(bids.prefix(path.stem))
        if self.pattern is not None:
            match = self.pattern.search(below.as_posix())
            if match is None:
                raise UserError(f"study folder: `pattern` does not fit {below}; see also `files`")
            groups = {k: v for k, v in match.groupdict().items() if v is not None}
            ids = {"subject": below.stem, "session": "0", "run": "0", "group": ""}
            ids |= {k: v for k, v in groups.items() if k in IDS}
            return ids, {k: v for k, v in groups.items() if k not in IDS}
        if "sub" in entities:
            # BIDS files of a session may differ in task, acquisition or run: all join the id.
            rest = [f"{k}-{v}" for k, v in entities.items() if k not in ("sub", "ses")]
            ids = {"subject": entities["sub"], "session": entities.get("ses", "0")}
            return {**ids, "run": "_".join(rest) or "0", "group": ""}, {}
        parts = below.parts
        subject = parts[0] if len(parts) > 1 else path.stem
        run = "-".join(parts[1:]) if len(parts) > 1 else path.name
        return {"subject": subject, "session": "0", "run": run, "group": ""}, {}

    def _kind(self, path: Path, beside: bids.Sidecars) -> Kind:
        if self.kind is not None:
            return cast(Kind, self.kind)
        # BIDS has one word, ieeg, for depth electrodes and grids; channels.tsv tells them apart.
        if path.parent.name.lower() == "ieeg" or path.stem.endswith("_ieeg"):
            kind = bids.intracranial_kind(beside.channels)
            logger.info("%s: read as %s, because it is an ieeg recording", path, kind)
            return kind
        named = path.parent.name.lower() == "meg" or path.stem.endswith("_meg")
        bti = "pdf" in path.name and not path.suffix
        return "meg" if named or bti or path.suffix.lower() in MEG_ENDINGS else "eeg"


def montage_kinds() -> tuple[str, ...]:
    """Return the kinds of channels that can be data."""
    return tuple(montage.TYPES_OF)


def compiled(pattern: str | None) -> re.Pattern[str] | None:
    """Compile a regular expression with at least one named group; raise `UserError` otherwise."""
    if pattern is None:
        return None
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f"study folder: pattern {pattern!r}: {error}") from None
    if not expression.groupindex:
        raise UserError(f"study folder: pattern {pattern!r} names no group; write (?P<subject>...)")
    return expression


def other_halves(path: Path) -> tuple[Path, ...]:
    """Return files that belong to a recording of several: samples, markers, configuration."""
    ending = path.suffix.lower()
    # BrainVision writes header, samples and markers apart; EEGLAB may put samples in .fdt.
    names = {".vhdr": (".eeg", ".vmrk", ".dat"), ".set": (".fdt",)}.get(ending, ())
    paths = [path.with_suffix(name) for name in names]
    # 4D/BTi splits a recording: samples have no ending, config and head shape lie beside them.
    if "pdf" in path.name and not ending:
        paths += [path.with_name(path.name.replace("pdf", w)) for w in ("config", "hs")]
        paths += [path.with_name("config"), path.with_name("hs_file")]
    return tuple(p for p in paths if p.exists())
