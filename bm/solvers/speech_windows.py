"""Windows of speech: training at a fixed stride, testing at words (spec clip 2.5 and 2.6)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import pandas as pd

from ..data import split
from ..data.dataset import Dataset, build_dataset, build_table, read_all
from ..data.recording import Recording
from ..data.store import Store
from ..data.windows import WindowRule
from ..errors import UserError
from ..features.builder import features_of
from ..studies import recordings_of
from ..xp.resolve import to_plain
from .windows import absolute_paths

#: Keys of `dset` that this module reads; they change which windows there are.
LIMITS = ("n_recordings", "skip_recordings", "n_subjects", "n_subjects_test")


def interleaved(recordings: Sequence[Recording]) -> list[Recording]:
    """First recording of every study, second of every study, ...: so that a limit takes of all."""
    studies: dict[str, list[Recording]] = {}
    for recording in recordings:
        studies.setdefault(recording.id.study, []).append(recording)
    mixed = chain.from_iterable(zip_longest(*studies.values()))
    return [recording for recording in mixed if recording is not None]


def limited(recordings: Sequence[Recording], dset: Mapping[str, Any]) -> list[Recording]:
    """`dset.n_recordings` of them after `dset.skip_recordings`; null = all."""
    if dset.get("n_recordings") is None and not dset.get("skip_recordings"):
        return list(recordings)
    first, count = int(dset.get("skip_recordings") or 0), dset.get("n_recordings")
    found = interleaved(recordings)[first : None if count is None else first + int(count)]
    if not found:
        raise UserError(f"dset.skip_recordings={first}: leaves none of {len(recordings)}")
    return found


def of_leading_subjects(table: pd.DataFrame, splits: tuple[str, ...], n: int | None) -> pd.Series:
    """Rows to keep: in some splits only those of the first `n` people; None = all.

    As published, leading recordings are kept until so many people were seen.
    """
    rows = table["split"].isin(splits)
    if n is None:
        return pd.Series(True, index=table.index)
    people = (table["study"] + "/" + table["subject"]).where(rows)
    kept = list(dict.fromkeys(people[rows]))[: int(n)]
    return ~rows | people.isin(kept)


def combined_table(dataset: Dataset, kept: Sequence[Recording], dset: Mapping[str, Any]) -> Any:
    """Training and validation windows of `dset.segment`, test windows of `dset.test.segment`."""
    changes = {k: v for k, v in (dset.get("test") or {}).get("segment", {}).items()}
    if not changes:
        return dataset.table
    other = {**dset, "segment": {**dset["segment"], **changes}}
    rules = [WindowRule.of(each["segment"]) for each in (dset, other)]
    rate = dataset.signals[0].rate_hz
    if rules[0].baseline_samples(rate) != rules[1].baseline_samples(rate):
        raise UserError("dset.test.segment: offset_s and baseline are those of dset.segment")
    tests, _ = build_table(dataset.signals, kept, other)
    own = dataset.table
    parts = [own[own["split"] != "test"], tests[tests["split"] == "test"]]
    table = pd.concat(parts, ignore_index=True)
    if not (table["split"] == "test").any():
        raise UserError("dset.test.segment: no window of it lies in the test split")
    table.attrs = dict(own.attrs)
    split.check_no_overlap(table, max(rule.shared_samples for rule in rules))
    return table


def speech_windows_of(cfg: Any) -> Dataset:
    """Windows and features that `dset` describes.

    Scaling statistics come from the training windows alone.

    Raises:
        UserError: no feature, no window, or splits that overlap.
    """
    paths, dset = absolute_paths(cfg.paths), to_plain(cfg.dset)
    if not dset.get("features"):
        raise UserError("dset.features is empty: name what is decoded, e.g. [MelSpectrum]")
    recordings, simulated = recordings_of(dset["studies"], paths)
    recordings = limited(recordings, dset)
    store = Store(paths["cache"])
    dataset = build_dataset(recordings, dset, simulated, store)
    if dset.get("test") or dset.get("n_subjects") or dset.get("n_subjects_test"):
        _, kept = read_all(recordings, dset, store)
        table = combined_table(dataset, kept, dset)
        keep = of_leading_subjects(table, ("train", "valid"), dset.get("n_subjects"))
        keep &= of_leading_subjects(table, ("test",), dset.get("n_subjects_test"))
        dataset = with_table(dataset, table[keep].reset_index(drop=True))
    dataset.carry(features_of(dset, dataset.signals, paths))
    return dataset


def with_table(dataset: Dataset, table: pd.DataFrame) -> Dataset:
    """The same signals and scaling with other windows."""
    text = f"{dataset.hash}|{table.drop(columns='start_s').to_csv()}"
    identity = hashlib.sha256(text.encode()).hexdigest()
    found = Dataset(dataset.signals, table, dataset.facts, identity)
    found.scaler = dataset.scaler
    return found


class Shuffled(Dataset):
    """Control: each window keeps its features and gets the signal of another of its split.

    Signals are exchanged within channel sets, and with them subject and places of sensors, so that
    nothing but the tie between speech and brain is lost.
    """

    @classmethod
    def of(cls, dataset: Dataset, seed: int) -> Shuffled:
        """From a data set with features."""
        found = cls(dataset.signals, dataset.table, dataset.facts, f"shuffled|{dataset.hash}")
        found.scaler, found.carried = dataset.scaler, dataset.carried
        found.other = np.arange(len(found.table))
        generator = np.random.Generator(np.random.Philox(key=[seed, 0]))
        layout = found.layout[found.table["recording"].to_numpy()]
        for _, rows in found.table.groupby([found.table["split"], layout, "length"]):
            found.other[rows.index] = generator.permutation(rows.index)
        return found

    other: np.ndarray

    def gather(self, rows: Sequence[int]) -> Any:
        """Signals of other rows, features of these."""
        index = np.asarray(rows)
        batch, own = super().gather(self.other[index]), super().gather(index)
        batch.features, batch.feature_mask = own.features, own.feature_mask
        batch.segment, batch.label = own.segment, own.label
        return batch
