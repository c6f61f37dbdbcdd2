"""Dataset: recordings as arrays in memory, their segment table, facts and loaders."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..errors import RecordingError, UserError
from . import segments, split
from .batch import Batch
from .facts import DataFacts
from .gather import BlockPool, gather_windows
from .loader import Loader, Plan, pin_wanted
from .preprocess import apply_steps
from .recording import Recording
from .scale import Scaler, build_scaler
from .windows import WindowRule

if TYPE_CHECKING:
    import mne

logger = logging.getLogger(__name__)
#: Volts to the unit of signals: microvolt.
MICROVOLT = 1e6
#: Old names of the 10-20 system -> today's, for channel sets shared by several caps.
RENAMED = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


def standard_name(name: str) -> str:
    """Today's name in one spelling: `FP1` and `Fp1` are the same place, `T3` is `T7`."""
    upper = name.strip().upper()
    return RENAMED.get(upper, upper)


@dataclass
class Signal:
    """One recording as it is served.

    Attributes:
        data: (T, C) float32 microvolt.
        channels: C names.
        positions: (C, 3) metres, NaN where unknown.
        rate_hz: sampling rate.
        events: its event table.
    """

    data: Tensor
    channels: tuple[str, ...]
    positions: np.ndarray
    rate_hz: float
    events: pd.DataFrame


def read_signal(recording: Recording, dset: Mapping[str, Any]) -> Signal:
    """Load one recording, at the rate and with the channels that `dset` asks for."""
    raw = recording.load_raw()
    raw = raw.pick("data", exclude=()) if len(raw.ch_names) else raw
    raw = apply_steps(raw, dset.get("preprocess") or [])
    rate = dset.get("rate_hz")
    if rate is not None and float(rate) != float(raw.info["sfreq"]):
        raw = raw.load_data(verbose="error").resample(float(rate), verbose="error")
    wanted = dset.get("channels")
    if wanted is not None and wanted != "common":
        raw = _pick(raw, list(wanted), recording)
    data = torch.from_numpy((raw.get_data().T * MICROVOLT).astype(np.float32))
    positions = np.array([channel["loc"][:3] for channel in raw.info["chs"]], dtype=np.float32)
    return Signal(
        data, tuple(raw.ch_names), positions, float(raw.info["sfreq"]), recording.events()
    )


def _pick(raw: mne.io.BaseRaw, wanted: list[str], recording: Recording) -> mne.io.BaseRaw:
    names = {standard_name(name): name for name in raw.ch_names}
    missing = [name for name in wanted if standard_name(name) not in names]
    if missing:
        raise RecordingError(
            recording.id.name, f"no channel {missing[0]}", "change dset.channels, or skip it"
        )
    return raw.pick([names[standard_name(name)] for name in wanted])


def take_common(signals: list[Signal]) -> list[Signal]:
    """Every recording with the channels that all of them have, in the order of the first."""
    shared = set.intersection(*({standard_name(n) for n in s.channels} for s in signals))
    order = [standard_name(n) for n in signals[0].channels if standard_name(n) in shared]
    if not order:
        raise UserError("dset.channels=common: the recordings share no channel")
    taken = []
    for signal in signals:
        rows = {standard_name(n): i for i, n in enumerate(signal.channels)}
        index = [rows[name] for name in order]
        taken.append(
            Signal(
                signal.data[:, index].contiguous(),
                tuple(order),
                signal.positions[index],
                signal.rate_hz,
                signal.events,
            )
        )
    return taken


class Dataset:
    """Windows of several recordings with their split.

    Attributes:
        signals: one per recording.
        table: one row per window (recording, start, length, event_row, label, ids, split).
        facts: what a model is built from.
        hash: changes whenever any window would.
    """

    def __init__(
        self, signals: list[Signal], table: pd.DataFrame, facts: DataFacts, identity: str
    ) -> None:
        self.signals, self.table, self.facts, self.hash = signals, table, facts, identity
        self.scaler: Scaler = Scaler("none", None)
        self._pool = BlockPool()
        self._data = [signal.data for signal in signals]
        layouts = [(s.channels, s.rate_hz) for s in signals]
        kinds = {layout: i for i, layout in enumerate(dict.fromkeys(layouts))}
        self.layout = np.array([kinds[layout] for layout in layouts])
        self._vocabulary = {
            name: i for i, name in enumerate(sorted({n for s in signals for n in s.channels}))
        }
        self._positions = [torch.from_numpy(signal.positions) for signal in signals]
        self._subjects = {name: i for i, name in enumerate(facts.subjects)}
        self._columns = {
            name: table[name].to_numpy() for name in ("recording", "start", "length", "label")
        }
        names = table["study"] + "/" + table["subject"]
        self._subject_rows = names.map(self._subjects).to_numpy()

    def rows(self, name: str) -> np.ndarray:
        """Rows of a split."""
        return np.flatnonzero((self.table["split"] == name).to_numpy())

    def loader(
        self,
        split: str,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> Loader:
        """Loader of a split; `batch_size` is of one process."""
        rows = self.rows(split)
        layouts = self.layout[self._columns["recording"][rows]]
        lengths = self._columns["length"][rows]
        pairs = list(zip(layouts.tolist(), lengths.tolist(), strict=True))
        numbers = {pair: i for i, pair in enumerate(sorted(set(pairs)))}
        groups = np.array([numbers[pair] for pair in pairs], dtype=int)
        plan = Plan(rows, groups, batch_size, shuffle, seed, rank, world)
        return Loader(plan, self.gather, pin_wanted())

    def gather(self, rows: Sequence[int]) -> Batch:
        """The windows of some rows of one layout and length, scaled."""
        index = np.asarray(rows)
        recordings = self._columns["recording"][index]
        starts, length = self._columns["start"][index], int(self._columns["length"][index[0]])
        first = self.signals[recordings[0]]
        finish = self.scaler.finish if self.scaler.changes else None
        block = gather_windows(self._data, recordings, starts, length, finish, self._pool)
        which = torch.from_numpy(recordings.astype(np.int64))
        channels = first.data.shape[1]
        ids = torch.tensor([self._vocabulary[name] for name in first.channels])
        labels = self._columns["label"][index]
        return Batch(
            signal=block.transpose(1, 2),
            positions=torch.stack([self._positions[r] for r in recordings]),
            channel_mask=torch.ones(len(index), channels, dtype=torch.bool),
            channel_ids=ids.expand(len(index), channels),
            subject=torch.from_numpy(self._subject_rows[index].astype(np.int64)),
            recording=which,
            segment=torch.from_numpy(index.astype(np.int64)),
            label=torch.as_tensor(labels),
        )


def read_all(recordings: Sequence[Recording], dset: Mapping[str, Any]) -> tuple[list, list]:
    """Signals and their recordings; bad ones are skipped and listed unless `strict`."""
    signals, kept, bad = [], [], []
    for recording in recordings:
        try:
            signals.append(read_signal(recording, dset))
            kept.append(recording)
        except RecordingError as error:
            if dset.get("strict"):
                raise
            bad.append(str(error))
    for line in bad:
        logger.warning("skipped %s", line)
    if not signals:
        raise UserError(f"no recording could be read: {bad[0] if bad else 'the studies are empty'}")
    return signals, kept


def build_table(
    signals: list[Signal], recordings: Sequence[Recording], dset: Mapping[str, Any]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The segment table with split, and the names of the classes."""
    parts = [
        segments.segments_of(i, s.events, len(s.data), s.rate_hz, dset["segment"])
        for i, s in enumerate(signals)
    ]
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    if table.empty:
        raise UserError(f"no window: no event of kind {dset['segment']['kind']!r} fits")
    events = [signal.events for signal in signals]
    classes = segments.number_labels(table, events, dset["segment"]["label"])
    table.attrs["left_out"] = sum(part.attrs["left_out"] for part in parts)
    table = segments.add_ids(table, [recording.id for recording in recordings])
    table["start_s"] = [
        start / signals[r].rate_hz
        for start, r in zip(table["start"], table["recording"], strict=True)
    ]
    table["split"] = split.assign(table, dset["split"])
    shared = WindowRule.of(dset["segment"]).shared_samples
    split.check_no_overlap(table, shared)
    return table, classes


def build_dataset(
    recordings: Sequence[Recording], dset: Mapping[str, Any], simulated: bool = False
) -> Dataset:
    """Read recordings, cut windows, assign splits, fit the scaling.

    Args:
        recordings: of all studies, in a fixed order.
        dset: plain `dset` section of the configuration.
        simulated: whether any study is made from equations.

    Raises:
        UserError: nothing to read, no window, empty or overlapping splits.
    """
    signals, kept = read_all(recordings, dset)
    if dset.get("channels") == "common":
        signals = take_common(signals)
    table, classes = build_table(signals, kept, dset)
    described = {k: v for k, v in dset.items() if k not in ("name", "studies", "strict")}
    text = json.dumps(
        [[r.fingerprint() for r in kept], described, table.drop(columns="start_s").to_csv()]
    )
    facts = _facts(signals, kept, table, classes, simulated)
    dataset = Dataset(signals, table, facts, hashlib.sha256(text.encode()).hexdigest())
    dataset.scaler = build_scaler(dset["scale"])
    rule = WindowRule.of(dset["segment"])
    if rule.baseline:
        dataset.scaler.baselines = [rule.baseline_samples(s.rate_hz) for s in signals]
    dataset.scaler.fit([s.data for s in signals], table, dataset.layout.tolist())
    dataset.facts = dataclasses.replace(facts, scaler=dataset.scaler.to_dict())
    return dataset


def _facts(
    signals: list[Signal],
    recordings: Sequence[Recording],
    table: pd.DataFrame,
    classes: tuple[str, ...],
    simulated: bool,
) -> DataFacts:
    first = signals[0]
    known = bool(np.isfinite(first.positions).all())
    positions = tuple(tuple(map(float, p)) for p in first.positions) if known else ()
    return DataFacts(
        channels=first.channels,
        rate_hz=first.rate_hz,
        window_samples=int(table["length"].iloc[0]),
        positions=positions,  # type: ignore[arg-type]
        kinds=tuple(recordings[0].id.kind for _ in first.channels),
        subjects=tuple(sorted({f"{r.id.study}/{r.id.subject}" for r in recordings})),
        classes=classes,
        simulated=simulated,
    )
