"""Features of recordings from a frozen network: tokens (C, A, D) of windows, or codes (C, A)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ... import __version__
from ...data.dataset import Dataset
from ...data.gather import gather_windows
from ...data.recording import Recording, RecordingId
from ...data.segments import values_of
from ...data.signal import Signal
from ...data.store import Store
from ...errors import RecordingError, UserError
from ...models import load
from ...models.contract import POOLS, Codebook, Microvolts, TokenEncoder
from ...models.saved import WEIGHTS, read_facts
from ...registry import check_known
from .file import token_file
from .placing import centre_and_scale, placed, row_of, scaling_of

MAX_TOKENS = 256  # channels times patches of a window at most, as LaBraM was pre-trained


@dataclass(frozen=True)
class Options:
    """Options of an extraction.

    Attributes:
        layer: blocks to go through; None = all and the last norm. Not for tokenizers.
        pool: none | mean, over channels and patches. Not for tokenizers.
        batch_size: windows at a time.
        drop_unknown: leave out channels without a row in the position table, instead of raising.
        device: of the network.
        trust_target: the folder may name a class by a dotted path, whose code runs then.
    """

    layer: int | None = None
    pool: str = "none"
    batch_size: int = 64
    drop_unknown: bool = False
    device: str = "cpu"
    trust_target: bool = False


@dataclass(frozen=True)
class Part:
    """Windows of one recording: rows of a segment table, in order of their starts."""

    identity: RecordingId
    signal: Signal
    windows: pd.DataFrame


@dataclass
class Summary:
    """Outcome of an extraction: counts, and the recordings that could not be read."""

    recordings: int = 0
    windows: int = 0
    bad: list[RecordingError] = field(default_factory=list)


class TokenModel:
    """A saved network that makes tokens or codes of signals of any channels.

    Attributes:
        facts: of the data that it was trained on.
        codes: whether it is a tokenizer.
        scales: whether it takes scaled windows of the channels of its training, in their order.
        patch_samples: P.
        dropped: names of channels that were left out so far.

    Args:
        folder: in `save_pretrained` form.
        options: layer, pooling, batch size, device.

    Raises:
        UserError: no such model, or options that do not fit it.
    """

    def __init__(self, folder: Path, options: Options) -> None:
        check_known("pool", options.pool, POOLS)
        if options.batch_size < 1:
            raise UserError(f"batch_size={options.batch_size}: at least 1 is needed")
        self.folder, self.options = Path(folder), options
        model = load(self.folder, options.trust_target)
        name = type(model).__name__
        if not isinstance(model, TokenEncoder | Codebook):
            hint = "use a model of LaBraM or Du-IN"
            raise UserError(f"{folder} holds {name}, which makes no tokens; {hint}")
        self.scales = not isinstance(model, Microvolts)
        if self.scales and model.named_channels:
            raise UserError(
                f"{folder} holds {name}, which knows channels by name and takes scaled windows; "
                "use a model of LaBraM or Du-IN"
            )
        self.codes = isinstance(model, Codebook)
        if self.codes and (options.layer is not None or options.pool != "none"):
            raise UserError(f"{folder} holds {name}, which makes codes: leave layer and pool out")
        if isinstance(model, TokenEncoder) and options.layer is not None:
            check_layer(options.layer, model.depth, name)
        self.patch_samples, self.max_patches = model.patch_samples, model.max_patches
        self.named = model.named_channels
        self.facts = read_facts(self.folder)
        self.dropped: dict[str, None] = {}
        self._model, self._channels = model, tuple[str, ...]()
        self._row: int | None = None  # of the person in the network, where it tells people apart

    def fit(self, signal: Signal, name: str) -> Signal:
        """Return the signal of the recording `name` with the channels that the network knows.

        Raises:
            UserError: channels that it does not know, and not `drop_unknown`, or another rate.
            RecordingError: it knows none of them, or they are not in microvolts.
        """
        if (
            signal.unit != "uV" and not self.scales
        ):  # the models divide by a fixed amplitude in microvolts
            raise RecordingError(name, f"in {signal.unit}, not microvolts", "leave it out")
        if signal.rate_hz != self.facts.rate_hz:
            raise UserError(
                f"the model was trained at {self.facts.rate_hz:g} Hz, {name} has "
                f"{signal.rate_hz:g} Hz; set dset.rate_hz={self.facts.rate_hz:g}"
            )
        if self.scales:
            return placed(signal, self.facts, name)
        unknown = self._model.strange_channels(signal.channels)
        if not unknown:
            return signal
        if not self.options.drop_unknown:
            raise UserError(
                f"{name}: LaBraM knows no electrode {in_words(unknown)}; rename them (`rename` of "
                "the study), or leave them out with drop_unknown=true"
            )
        usable = [i for i, channel in enumerate(signal.channels) if channel not in unknown]
        if not usable:
            reason = f"LaBraM knows none of its electrodes {in_words(unknown)}"
            raise RecordingError(name, reason, "rename them")
        self.dropped |= dict.fromkeys(unknown)
        return signal.select(usable, [signal.channels[i] for i in usable])

    def window_samples(self, n_channels: int) -> int:
        """Return the samples of the longest window for so many channels.

        As many whole patches as 256 tokens allow: LaBraM's corpus was cut like that (64 channels: 4
        patches, 32: 8, 20: 12), and its table of time embeddings ends at 16.
        """
        if self.scales:  # one token for all channels together
            return self.patch_samples * self.max_patches
        return self.patch_samples * max(1, min(self.max_patches, MAX_TOKENS // n_channels))

    @torch.no_grad()
    def outputs(self, part: Part) -> Iterator[np.ndarray]:
        """Yield tokens float32 or codes int32 of the windows of a part, a batch at a time."""
        if part.signal.channels != self._channels:
            names = list(part.signal.channels)
            # Loaded again: the rows of its electrodes are part of the network.
            changes = {"channel_names": names} if self.named else {}
            self._model = load(self.folder, self.options.trust_target, **changes)
            self._model.eval().to(self.options.device)
            self._channels = part.signal.channels
        self._row = row_of(self.facts, part.identity) if self.scales else None
        scaling = centre_and_scale(self.facts, part.signal) if self.scales else None
        starts, size = part.windows["start"].to_numpy(), self.options.batch_size
        length = int(part.windows["length"].iloc[0])
        for first in range(0, len(starts), size):
            some = starts[first : first + size]
            block = gather_windows([part.signal], np.zeros(len(some), int), some, length)
            if scaling is not None:
                block = (block - scaling[0]) / scaling[1]
            # Contiguous, as models receive their batches.
            x = block.transpose(1, 2).contiguous().to(self.options.device)
            yield self._outputs_of(x).cpu().numpy()

    def _outputs_of(self, x: torch.Tensor) -> torch.Tensor:
        row = self._row
        person = {} if row is None else {"subject": torch.full((len(x),), row, device=x.device)}
        if self.codes:
            codes: torch.Tensor = self._model.tokens(x, **person)
            places = 1 if self.scales else x.shape[1]
            return codes.unflatten(1, (places, -1)).to(torch.int32)
        options = {"layer": self.options.layer, "pool": self.options.pool}
        tokens: torch.Tensor = self._model.tokens(x, **person, **options)
        return tokens.float()

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of a file that describe the network."""
        digest = hashlib.sha256((self.folder / WEIGHTS).read_bytes()).hexdigest()
        layer = self.options.layer
        return {
            "kind": "codes" if self.codes else "tokens",
            "model": str(self._model.bm_arguments["name"]),
            "weights": digest,
            "rate_hz": self.facts.rate_hz,
            "patch_samples": self.patch_samples,
            "layer": -1 if layer is None else layer,
            "pool": self.options.pool,
            "scaling": scaling_of(self.facts) if self.scales else "none",
            "version": __version__,
        }


def check_layer(layer: int, depth: int, name: str) -> None:
    """Raise `UserError` unless the model called `name` has the layer, 0 to `depth`."""
    if not 0 <= layer <= depth:
        raise UserError(f"layer={layer}: {name} has {depth} blocks; use 0 to {depth}")


Item = Part | RecordingError  # of a source: windows, or why there are none


def in_words(names: Sequence[str], most: int = 20) -> str:
    """Return names with commas; of many the first, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def parts_of_dataset(dataset: Dataset, model: TokenModel, split: str | None) -> list[Part]:
    """Return the windows of a data set, recording by recording.

    Args:
        dataset: not scaled.
        model: whose channels are taken.
        split: only windows of this; None = all.

    Raises:
        UserError: no window in that split.
    """
    table = dataset.table if split is None else dataset.table[dataset.table["split"] == split]
    if table.empty:
        splits = ", ".join(sorted(set(dataset.table["split"])))
        raise UserError(f"split={split}: no window; there are {splits}")
    parts = []
    # One recording at a time: the network is loaded for its channels, and the file has its group.
    for index in sorted(set(table["recording"])):
        rows = table[table["recording"] == index].sort_values("start")
        study, subject, session, run = rows.iloc[0][["study", "subject", "session", "run"]]
        identity = RecordingId(study, subject, session, run)
        signal = model.fit(dataset.signals[index], identity.name)
        parts.append(Part(identity, signal, rows))
    return parts


@dataclass(frozen=True)
class Recordings:
    """Whole recordings in windows one after the other; a rest at the end is left out.

    Attributes:
        members: read one at a time.
        recipe: preprocessing.
        store: of preprocessed recordings.
        model: whose channels are taken.
        window_s: of a window; None = as many patches as 256 tokens allow, 16 at most, fewer in
            shorter recordings.
        strict: stop at the first bad recording.
    """

    members: Sequence[Recording]
    recipe: Mapping[str, Any]
    store: Store
    model: TokenModel
    window_s: float | None = None
    strict: bool = False

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Item]:
        for recording in self.members:
            try:
                yield self._part(recording)
            except RecordingError as error:
                if self.strict:
                    raise
                yield error

    def _part(self, recording: Recording) -> Part:
        signal = self.model.fit(self.store.get(recording, self.recipe), recording.id.name)
        length = self._window(signal)
        if length == 0:
            reason = f"{signal.samples} samples are no window"
            raise RecordingError(recording.id.name, reason, "skip it")
        starts = np.arange(0, signal.samples - length + 1, length)
        return Part(recording.id, signal, pd.DataFrame({"start": starts, "length": length}))

    def _window(self, signal: Signal) -> int:
        """Return the samples of a window, 0 when the recording is shorter than one."""
        patch = self.model.patch_samples
        if self.window_s is None:
            longest = self.model.window_samples(len(signal.channels))
            return min(longest, signal.samples // patch * patch)
        length = round(self.window_s * signal.rate_hz)
        most = self.model.max_patches
        if length % patch or not patch <= length <= most * patch:
            seconds = patch / signal.rate_hz
            raise UserError(f"window_s={self.window_s:g}: must be 1 to {most} times {seconds:g} s")
        return length if length <= signal.samples else 0


def columns_of(part: Part) -> dict[str, np.ndarray]:
    """Return the columns of a file that describe the windows of a part."""
    rows = part.windows
    columns = {"start_s": rows["start"].to_numpy() / part.signal.rate_hz}
    if "label" in rows and (rows["label"] >= 0).any():  # -1: windows without a label
        columns["label"] = rows["label"].to_numpy(np.int64)
    values = values_of(rows)
    if values is not None:
        columns["value"] = values
    if "split" in rows:
        columns["split"] = rows["split"].to_numpy(object)
    return columns


def extract(
    source: Iterable[Item],
    model: TokenModel,
    path: Path,
    attributes: Mapping[str, Any],
    tick: Callable[[float, int], None] = lambda share, windows: None,
) -> Summary:
    """Write the features of every recording of a source into one file, see `token_file`.

    Memory holds one batch of windows; recordings stay on the disk.

    Args:
        source: parts, and errors of recordings that could not be read.
        model: the network.
        path: the file; what is there is replaced when all is done.
        attributes: of the file, beside those of the network.
        tick: called with the share of the recording that a batch was, and the windows done in all.
    """
    summary = Summary()
    with token_file(path, {**model.attributes(), **attributes}) as file:
        for part in source:
            if isinstance(part, RecordingError):
                summary.bad.append(part)
                tick(1.0, summary.windows)
                continue
            about = {"channels": list(part.signal.channels), "rate_hz": part.signal.rate_hz}
            batches = _counted(model.outputs(part), len(part.windows), summary, tick)
            file.add(part.identity, about, columns_of(part), batches)
            summary.recordings += 1
        # Raised inside the block: no file is left that looks like a result.
        if not summary.recordings:
            reason = f": {summary.bad[0]}" if summary.bad else "; the studies are empty"
            raise UserError(f"no recording could be read{reason}")
    return summary


def _counted(
    batches: Iterator[np.ndarray], total: int, summary: Summary, tick: Callable[[float, int], None]
) -> Iterator[np.ndarray]:
    for batch in batches:
        yield batch
        summary.windows += len(batch)
        tick(len(batch) / total, summary.windows)
