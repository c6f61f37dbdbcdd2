"""Dataset: windows of several recordings with their split, facts, scaling and loaders."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..errors import RecordingError, UserError
from ..facts import DataFacts
from ..registry import check_known, check_list
from . import segments, split
from .augment import Augmentation, build_augmentation
from .batch import Batch
from .device_windows import DeviceWindows
from .duplicates import check_near_copies, without_copies
from .gather import BlockPool, gather_windows
from .held_out import few_shots, permute_labels
from .loader import Loader, Plan, uses_pinned_memory
from .preprocess import standard_name
from .recording import Recording, RecordingId
from .scale import Scaler, build_scaler
from .selection import no_window, tell_labels
from .signal import Signal, name_of, select_common, select_named, select_padded
from .skipped import report_skipped
from .store import Store, in_memory, recipe_of
from .trial_copies import check_trial_copies
from .window_features import WindowFeatures
from .window_recipe import window_recipe
from .window_rule import WindowRule

logger = logging.getLogger(__name__)
#: Keys of `dset` that the hash leaves out: recordings and windows tell their effect, or none
#: depends on them.
UNHASHED_KEYS = ("name", "studies", "strict", "shuffle_recordings_seed", "interleave",
                 "extra_test_features", "duplicates", "augment", "on_device")  # fmt: skip
#: Keys that came later: the hash leaves them out where they change nothing.
LATER_KEYS = {"bads": "keep", "keep_bad": False, "permute_labels": False}
#: The same of `dset.split`, where null changes nothing.
LATER_SPLIT_KEYS = ("left_out", "shots")
#: `dset.channels` in a word -> function that gives all recordings the same channels.
CHANNEL_RULES = {"common": select_common, "padded": select_padded}


class Dataset:
    """Windows of several recordings with their split.

    Attributes:
        signals: one per recording.
        table: one row per window (recording, start, length, event_row, label, ids, split).
        facts: what a model is built from.
        hash: changes whenever any window would.
        people: who was recorded, one per recording, the same person in all studies.
        window_features: features of the same windows, see `attach_features`.
        augmentation: of training windows; None = none.
        on_device: windows that lie on the device; None = each batch is gathered and copied there.
    """

    def __init__(
        self, signals: list[Signal], table: pd.DataFrame, facts: DataFacts, identity: str
    ) -> None:
        self.signals, self.table, self.facts, self.hash = signals, table, facts, identity
        self.people: tuple[str, ...] = ()
        self.scaler: Scaler = Scaler("none", None)
        self.window_features: WindowFeatures | None = None
        self.augmentation: Augmentation | None = None
        self.on_device: DeviceWindows | None = None
        self._pool = BlockPool()
        layouts = [(s.channels, s.rate_hz) for s in signals]
        kinds = {layout: i for i, layout in enumerate(dict.fromkeys(layouts))}
        self.layout = np.array([kinds[layout] for layout in layouts])
        self._vocabulary = {name: i for i, name in enumerate(vocabulary_of(signals))}
        self._values = segments.values_of(table)
        self._held = segments.lengths_of(table) if segments.HELD in table else None
        self._masks = torch.ones(len(signals), max(len(s.channels) for s in signals)).bool()
        for mask, signal in zip(self._masks, signals, strict=True):
            mask[len(signal.channels) - signal.empty :] = False
        self._positions = [torch.from_numpy(signal.positions) for signal in signals]
        self._subjects = {name: i for i, name in enumerate(facts.subjects)}
        self._columns = {
            name: table[name].to_numpy() for name in ("recording", "start", "length", "label")
        }
        names = table["study"] + "/" + table["subject"]
        self._subject_rows = names.map(self._subjects).to_numpy()

    def attach_features(self, features: WindowFeatures) -> None:
        """Add features to every batch from now on, and their sizes to the facts.

        Raises:
            UserError: `dset.augment` shifts windows in time, away from their features.
        """
        if self.augmentation is not None and self.augmentation.shifts_time:
            raise UserError("dset.augment: time_shift moves windows away from dset.features")
        self.window_features = features
        sizes = {kind.name: kind.dimension for kind in features.kinds}
        self.facts = dataclasses.replace(self.facts, features=sizes)
        text = f"{self.hash}|{features.identity}"
        self.hash = hashlib.sha256(text.encode()).hexdigest()

    def rows(self, name: str) -> np.ndarray:
        """Return the rows of a split."""
        return np.flatnonzero((self.table["split"] == name).to_numpy())

    def windows(self) -> pd.DataFrame:
        """Return the table with what an audit compares: length_s, person, and times in the files.

        `begin_s` and `end_s` count from the beginning of a recording's files, crops included.
        """
        places = self.table["recording"].to_numpy()
        rates = np.array([signal.rate_hz for signal in self.signals])[places]
        shifts = np.array([signal.shift_s for signal in self.signals])[places]
        people = np.array(self.people or [""] * len(self.signals), dtype=object)[places]
        lengths = segments.lengths_of(self.table) / rates
        begins = self.table["start"].to_numpy() / rates + shifts
        return self.table.assign(
            length_s=lengths, person=people, begin_s=begins, end_s=begins + lengths
        )

    def groups(self, rows: np.ndarray) -> np.ndarray:
        """Return a number for each row, from 0 on; rows of one number fit in one batch.

        Such rows have the same channels, rate and length.
        """
        layouts = self.layout[self._columns["recording"][rows]]
        lengths = self._columns["length"][rows]
        pairs = list(zip(layouts.tolist(), lengths.tolist(), strict=True))
        numbers = {pair: i for i, pair in enumerate(sorted(set(pairs)))}
        return np.array([numbers[pair] for pair in pairs], dtype=int)

    def loader(
        self,
        split: str,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        common: int | None = None,
    ) -> Loader:
        """Return the loader of a split; `batch_size` is of one process, `common` of all together.

        Shuffled training windows, those that a model is trained on, are augmented.
        """
        rows = self.rows(split)
        plan = Plan(rows, self.groups(rows), batch_size, shuffle, seed, rank, world, common)
        augments = self.augmentation is not None and shuffle and split == "train"
        augment = self._augment if augments else None
        if self.on_device is not None:
            return Loader(plan, self.on_device.gather, False, augment)
        return Loader(plan, self.gather, uses_pinned_memory(), augment)

    def move_to(self, device: torch.device) -> None:
        """Bring all windows to a device, from where the loaders that are built next serve them.

        Raises:
            UserError: they do not fit.
        """
        rows = np.arange(len(self.table))
        self.on_device = DeviceWindows(self.gather, self.groups(rows), device)

    def _augment(self, batch: Batch, seed: int, epoch: int) -> Batch:
        assert self.augmentation is not None
        rates = [self.signals[r].rate_hz for r in batch.recording.tolist()]
        return self.augmentation.apply(batch, rates, seed, epoch)

    def _pad(self, block: torch.Tensor, recordings: np.ndarray, held: np.ndarray) -> None:
        """Scale what is held of each window (B, T, C) by itself, and make the rest zero."""
        for window, recording, count in zip(
            block.unbind(), recordings.tolist(), held.tolist(), strict=True
        ):
            self.scaler.finish(window[:count], recording)
            window[count:] = 0

    def gather(self, rows: Sequence[int]) -> Batch:
        """Return the scaled windows of some rows, which are of one channel set and length."""
        index = np.asarray(rows)
        recordings = self._columns["recording"][index]
        starts, length = self._columns["start"][index], int(self._columns["length"][index[0]])
        first = self.signals[recordings[0]]
        channels = len(first.channels)
        whole = self._held is None
        finish = self.scaler.finish if self.scaler.changes and whole else None
        write = self.scaler.write if self.scaler.fuses and whole else None
        block = gather_windows(self.signals, recordings, starts, length, finish, self._pool, write)
        if self._held is not None:
            self._pad(block, recordings, self._held[index])
        which = torch.from_numpy(recordings.astype(np.int64))
        ids = torch.tensor([self._vocabulary[name] for name in first.channels])
        labels = (self._columns["label"] if self._values is None else self._values)[index]
        features, mask = (
            self.window_features.gather(recordings, starts, length)
            if self.window_features
            else ({}, None)
        )
        return Batch(
            signal=block.transpose(1, 2),  # a view: 98-250k windows/s, 10-40k when made contiguous
            positions=torch.stack([self._positions[r] for r in recordings]),
            channel_mask=self._masks[which, :channels],
            channel_ids=ids.expand(len(index), channels),
            subject=torch.from_numpy(self._subject_rows[index].astype(np.int64)),
            recording=which,
            segment=torch.from_numpy(index.astype(np.int64)),
            label=torch.as_tensor(labels),
            features=features,
            feature_mask=mask,
        )


def read_all(
    recordings: Sequence[Recording], dset: Mapping[str, Any], store: Store | None
) -> tuple[list[Signal], list[Recording]]:
    """Read the signals of recordings; bad ones are skipped and listed unless `dset.strict`.

    Args:
        recordings: of all studies.
        dset: plain `dset` section.
        store: where preprocessed recordings are kept; None = in memory only.

    Returns:
        signals, and the recordings that they are of.

    Raises:
        RecordingError: a bad recording, with `dset.strict`.
        UserError: none could be read.
    """
    signals, readable, errors = [], [], []
    recipe, channels = recipe_of(dset), dset.get("channels")
    rule = channels if isinstance(channels, str) else None
    if rule is not None:
        check_known("dset.channels", rule, CHANNEL_RULES)
    check_channels(channels)
    for recording in recordings:
        try:
            signal = store.get(recording, recipe) if store else in_memory(recording, recipe)
            signal = obey_bads(signal, recording, dset.get("bads", "keep"))
            if channels is not None and rule is None:
                signal = select_named(signal, channels, recording.id.name)
            signals.append(signal)
            readable.append(recording)
        except RecordingError as error:
            if dset.get("strict"):
                raise
            errors.append(error)
    report_skipped(errors, store.folder if store else None, map(name_of, readable))
    if not signals:
        reason = errors[0] if errors else "there is none (dset.studies, dset.n_recordings)"
        raise UserError(f"no recording could be read: {reason}")
    return CHANNEL_RULES[rule](signals) if rule else signals, readable


def check_channels(channels: object) -> None:
    """Raise `UserError` for a list of channels that is empty or names one twice."""
    if channels is None or isinstance(channels, str):
        return
    check_list("dset.channels", channels, "Cz", least=1)
    names = [standard_name(str(name)) for name in channels]  # type: ignore[attr-defined]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"dset.channels: {twice[0]!r} is named twice; name each channel once")


def obey_bads(signal: Signal, recording: Recording, action: str) -> Signal:
    """Return a recording without its bad channels with `drop`, else as it is; the log names them.

    Raises:
        RecordingError: all are bad.
    """
    if not signal.bads:
        return signal
    names, word = ", ".join(signal.bads), "left out" if action == "drop" else "kept"
    logger.info("%s: bad channels %s (dset.bads=%s): %s", recording.id.name, word, action, names)
    if action != "drop":
        return signal
    try:
        return signal.without_bads()
    except ValueError as error:
        raise RecordingError(name_of(recording), str(error), "leave it out") from None


def vocabulary_of(signals: Sequence[Signal]) -> tuple[str, ...]:
    """Return the names of all channels, in the order in which they occur first."""
    return tuple(dict.fromkeys(name for signal in signals for name in signal.channels))


def cut_windows(
    signals: list[Signal],
    recordings: Sequence[Recording],
    dset: Mapping[str, Any],
    segment: Mapping[str, Any],
    left_aside: Sequence[RecordingId] = (),
) -> pd.DataFrame:
    """Cut windows of all recordings by the rule `segment`, and assign ids and split.

    `left_aside` are recordings that the split may name although they could not be read.
    """
    rule = WindowRule.of(segment)
    parts = [
        segments.window_columns(
            i,
            s.events,
            s.samples,
            s.rate_hz,
            rule.for_channels(len(s.channels)),
            () if dset.get("keep_bad") else s.stretches,
        )
        for i, s in enumerate(signals)
    ]
    table = segments.table_of([columns for columns, _ in parts])
    segments.log_left_out([counts for _, counts in parts], rule)
    left_out = sum(counts.outside + counts.marked for _, counts in parts)
    if table.empty:
        raise UserError(no_window(signals, segment, left_out))
    table = segments.add_ids(table, [recording.id for recording in recordings])
    table["start_s"] = [
        start / signals[r].rate_hz
        for start, r in zip(table["start"], table["recording"], strict=True)
    ]
    table["split"] = split.assign(
        table, dset["split"], float(dset.get("remove_ratio") or 0), left_aside
    )
    in_use = table["split"] != split.REMOVED
    for which, limit in (("train", "n_subjects"), ("test", "n_subjects_test")):
        if dset.get(limit) is not None:  # valid goes with train, as published
            names = ("test",) if which == "test" else ("train", "valid")
            few = segments.leading_subjects(table, recordings, int(dset[limit]))
            in_use &= few | ~table["split"].isin(names)
    table = table[in_use].reset_index(drop=True)
    # pandas drops `attrs` when tables that differ in them are joined.
    table.attrs["left_out"] = left_out
    return table


def build_table(
    signals: list[Signal],
    recordings: Sequence[Recording],
    dset: Mapping[str, Any],
    left_aside: Sequence[RecordingId] = (),
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Build the segment table with its split.

    `dset.segment_test`, when there is one, changes keys of `dset.segment` for the test split.

    Returns:
        the table, and the names of the classes.
    """
    table = cut_windows(signals, recordings, dset, dset["segment"], left_aside)
    left_out = table.attrs["left_out"]
    if dset.get("segment_test"):  # speech: trained on a stride, tested on words
        rule = {**dset["segment"], **dset["segment_test"]}
        other = cut_windows(signals, recordings, dset, rule, left_aside)
        # Compared at 1 kHz, because recordings may be of several rates.
        if WindowRule.of(rule).length(1000.0) != WindowRule.of(dset["segment"]).length(1000.0):
            raise UserError("dset.segment_test: windows of another length than those of training")
        parts = [table[table["split"] != "test"], other[other["split"] == "test"]]
        table = pd.concat(parts, ignore_index=True)
    events = [signal.events for signal in signals]
    segments.add_values(table, events, WindowRule.of(dset["segment"]).values)
    classes = segments.number_labels(table, events, dset["segment"]["label"])
    shots = dset["split"].get("shots")
    if shots is not None:
        order = split.trial_order(table, int(dset["split"]["seed"]))
        table = table[few_shots(table, shots, classes, order)].reset_index(drop=True)
    if dset.get("permute_labels"):
        table["label"] = permute_labels(table, classes, int(dset["split"]["seed"]))
    table.attrs["left_out"] = left_out
    split.check_no_overlap(table, WindowRule.of(dset["segment"]).shared_samples)
    return table, classes


def hashed_options(dset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a data set that its hash is made of, in the order of the hash.

    The base configuration names `split` before the data set's own file does; in the hash it stands
    where those files have it, after the segments, as before the base had such keys.
    """
    later = [k for k, v in LATER_KEYS.items() if dset.get(k, v) == v]
    unhashed = {*UNHASHED_KEYS, *later, "split"}
    options: dict[str, Any] = {}
    last = max((k for k in dset if k.startswith("segment")), key=list(dset).index)
    for key, value in dset.items():
        if key not in unhashed:
            options[key] = value
        if key == last:  # which splits may be empty changes no window
            split = dset["split"].items()
            options["split"] = {
                k: v
                for k, v in split
                if k != "allow_empty" and not (k in LATER_SPLIT_KEYS and v is None)
            }
    return options


def build_dataset(
    recordings: Sequence[Recording],
    dset: Mapping[str, Any],
    simulated: bool = False,
    store: Store | None = None,
) -> Dataset:
    """Read recordings, cut windows, assign splits, fit the scaling.

    Args:
        recordings: of all studies, in a fixed order.
        dset: plain `dset` section of the configuration.
        simulated: whether any study is made from equations.
        store: where preprocessed recordings are kept; None = in memory only.

    Raises:
        UserError: nothing to read, no window, empty or overlapping splits.
    """
    augmentation = build_augmentation(dset.get("augment"))
    WindowRule.of(dset["segment"]).check_kind()  # before hours of preprocessing
    signals, readable = read_all(recordings, dset, store)
    rule = str(dset.get("duplicates", "refuse"))
    signals, distinct, near = without_copies(signals, readable, rule)
    left_aside = [one.id for one in recordings if one not in distinct]
    readable = distinct
    events = [signal.events for signal in signals]
    tell_labels(readable, events)
    dset = {**dset, "segment": segments.whole_events(dset["segment"], events)}
    table, classes = build_table(signals, readable, dset, left_aside)
    windows = WindowRule.of(dset["segment"])
    check_trial_copies(table, signals, readable)
    check_near_copies(table, signals, readable, near, windows.shared_samples)
    options = hashed_options(dset)
    # Without `start_s`, which follows from `start` and the rate.
    text = json.dumps(
        [[s.identity for s in signals], options, table.drop(columns="start_s").to_csv()]
    )
    facts = _facts(signals, readable, table, classes, simulated)
    dataset = Dataset(signals, table, facts, hashlib.sha256(text.encode()).hexdigest())
    dataset.people = tuple(recording.person for recording in readable)
    dataset.augmentation = augmentation
    dataset.scaler = build_scaler(dset["scale"])
    if windows.baseline:
        dataset.scaler.baselines = [windows.baseline_samples(s.rate_hz) for s in signals]
    dataset.scaler.fit(signals, table, dataset.layout.tolist())
    steps = tuple(map(dict, dset.get("preprocess") or ()))
    dataset.facts = dataclasses.replace(
        facts,
        scaler=dataset.scaler.to_dict(),
        preprocess=steps,
        recipe=window_recipe(dset, dataset.scaler, [one.id.name for one in readable]),
    )
    return dataset


def _facts(
    signals: list[Signal],
    recordings: Sequence[Recording],
    table: pd.DataFrame,
    classes: tuple[str, ...],
    simulated: bool,
) -> DataFacts:
    first = signals[0]
    located = bool(np.isfinite(first.positions).all())
    positions = tuple(tuple(map(float, p)) for p in first.positions) if located else ()
    return DataFacts(
        channels=first.channels,
        rate_hz=first.rate_hz,
        window_samples=int(table["length"].iloc[0]),
        positions=positions,  # type: ignore[arg-type]
        kinds=first.kinds,
        subjects=tuple(sorted({f"{r.id.study}/{r.id.subject}" for r in recordings})),
        classes=classes,
        simulated=simulated,
        values=segments.value_names(table),
        vocabulary=vocabulary_of(signals),
    )
