"""Windows of speech with their features, and limits of recordings and people (clip 2.6)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import pandas as pd

from ..data import split
from ..data.dataset import Dataset, build_dataset
from ..data.recording import Recording
from ..data.store import Store
from ..errors import UserError
from ..features.builder import features_of
from ..studies import recordings_of
from ..xp.resolve import to_plain
from .windows import absolute_paths


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


def not_removed(table: pd.DataFrame, rule: Mapping[str, Any], ratio: float) -> pd.Series:
    """Rows to keep when so large a share of all blocks is left out of training (spec clip 2.3).

    Raises:
        UserError: splits that are not drawn as published, or nothing left to train on.
    """
    if not ratio:
        return pd.Series(True, index=table.index)
    if rule.get("method") != "published" or rule["key"] != "block_uid":
        raise UserError("dset.remove_ratio needs dset.split.method=published, key=block_uid")
    begin = float(rule["ratios"].get("test", 0)) + float(rule["ratios"].get("valid", 0))
    scores = {uid: split.block_score(uid, rule["seed"]) for uid in table["block_uid"].unique()}
    score = table["block_uid"].map(scores)
    keep = (table["split"] != "train") | (score < begin) | (score >= begin + ratio)
    if not (table["split"][keep] == "train").any():
        raise UserError(f"dset.remove_ratio={ratio}: leaves no window to train on")
    return keep


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
    dataset = build_dataset(recordings, dset, simulated, Store(paths["cache"]))
    keep = of_leading_subjects(dataset.table, ("train", "valid"), dset.get("n_subjects"))
    keep &= of_leading_subjects(dataset.table, ("test",), dset.get("n_subjects_test"))
    keep &= not_removed(dataset.table, dset["split"], float(dset.get("remove_ratio") or 0))
    if not keep.all():
        dataset = with_table(dataset, dataset.table[keep].reset_index(drop=True))
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
        batch, own = super().gather(self.other[index].tolist()), super().gather(rows)
        batch.features, batch.feature_mask = own.features, own.feature_mask
        batch.segment, batch.label = own.segment, own.label
        return batch
