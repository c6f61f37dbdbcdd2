"""Embeddings and latents of all windows, computed once and mapped from the cache."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...data.batch import Batch
from ...data.dataset import Dataset
from ...errors import UserError
from ...features.cache import FeatureCache, Rows
from ...models.eeg2speech.autoencoder import MelAutoencoder, Posterior
from ...models.eeg2speech.conditioning import SOURCES, resized
from ...models.saved import checksum_of
from ...xp.address import signature_of
from ..build_data import batches_of
from ..speech.saved_pair import SavedPair
from .clips import WAVE
from .embedding_file import read_embeddings

VERSION = 1  # raised when equal keys give other numbers


def name_of(kind: str, address: str) -> str:
    """Return the name of a folder of the cache: what is in it, and the model's signature."""
    return f"{kind}-{signature_of(address) or 'file'}"


def computed(dataset: Dataset, size: int, compute: Callable[[Batch], Tensor]) -> Tensor:
    """Return the rows (N, F) that `compute` makes of the windows of a data set, batch by batch."""
    rows = np.arange(len(dataset.table))
    table: Tensor | None = None
    for batch in batches_of(dataset, rows, size):
        values = compute(batch).flatten(1).float().cpu()
        if table is None:
            table = torch.empty(len(rows), values.shape[1])
        table[batch.segment] = values
    assert table is not None
    return table


def computed_once(dataset: Dataset, size: int, compute: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the rows (N, F) that `compute` makes of the sounds (B, n) of the windows.

    What several people heard is computed once.
    """
    places: dict[bytes, int] = {}
    table: Tensor | None = None
    for batch in batches_of(dataset, np.arange(len(dataset.table)), size):
        waves, segments = batch.features[WAVE][:, 0], batch.segment.tolist()
        names = [blake2b(wave.numpy().tobytes(), digest_size=16).digest() for wave in waves.cpu()]
        new = {name: i for i, name in enumerate(names) if name not in places}
        places |= {name: segments[i] for name, i in new.items()}
        if new:
            values = compute(waves[list(new.values())]).flatten(1).float().cpu()
            if table is None:
                table = torch.empty(len(dataset.table), values.shape[1])
            table[[segments[i] for i in new.values()]] = values
        assert table is not None
        table[segments] = table[[places[name] for name in names]]
    assert table is not None
    return table


def check_rows(table: Tensor, count: int, what: str) -> None:
    """Raise `UserError` for rows that are not finite, or fewer than the windows."""
    if len(table) < count:
        raise UserError(f"{what}: {len(table)} rows for {count} clips; compute them for all")
    finite = torch.isfinite(table).all(1)
    if not bool(finite.all()):
        bad = int((~finite).sum())
        first = int(torch.nonzero(~finite)[0])
        raise UserError(f"{what}: {bad} of {len(table)} rows hold NaN or inf, first {first}")


@dataclass(frozen=True)
class StoredLatents:
    """Moments of the posterior of every window.

    Attributes:
        table: (N, 2 C T F).
        shape: C, T, F.
    """

    table: Tensor
    shape: tuple[int, int, int]

    @classmethod
    def of(
        cls, autoencoder: MelAutoencoder, dataset: Dataset, address: str, cache: Path, size: int
    ) -> StoredLatents:
        """Compute the latents of the sounds of a data set, or map those that are there."""
        device = next(autoencoder.parameters()).device

        def compute() -> Rows:
            # Moments, not samples: training draws a new latent of a clip at each step.
            with torch.no_grad():
                table = computed_once(
                    dataset, size, lambda w: autoencoder.moments(autoencoder.maps(w.to(device)))
                )
            check_rows(table, len(dataset.table), f"latents of {address}")
            return Rows(torch.cat([torch.zeros(1, table.shape[1]), table]), (len(table),))

        key = json.dumps([VERSION, checksum_of(autoencoder.state_dict()), dataset.hash])
        rows = FeatureCache(cache).get(name_of("latents", address), key, compute)
        # Row 0 of a cached table is the default of events; windows begin at row 1.
        return cls(rows.table[1:], autoencoder.latent_shape)

    def posterior(self, rows: Tensor, device: torch.device) -> Posterior:
        """Return the posterior of some windows, on a device."""
        channels, steps, bands = self.shape
        moments = self.table[rows].to(device)
        return Posterior.of(moments.unflatten(1, (2 * channels, steps, bands)))


@dataclass(frozen=True)
class StoredEmbeddings:
    """Embeddings of both sides of every window.

    Attributes:
        table: (N, 2 D S), the sound's and the brain's.
        width: D.
    """

    table: Tensor
    width: int

    @classmethod
    def of_file(
        cls, path: Path, pair: SavedPair, dataset: Dataset, address: str, steps: int
    ) -> StoredEmbeddings:
        """Read embeddings that another program computed, see `read_embeddings`."""
        width = pair.width
        table = read_embeddings(path, address, len(dataset.table), width, steps)
        return cls(table, width)

    @classmethod
    def of(
        cls, pair: SavedPair, dataset: Dataset, address: str, cache: Path, settings: Windows
    ) -> StoredEmbeddings:
        """Compute the embeddings of a data set, or map those that are there."""

        def compute() -> Rows:
            table = computed(dataset, settings.batch, settings.embed(pair))
            # Refused before they are cached: a NaN would come back in every later run.
            check_rows(table, len(dataset.table), f"embeddings of {address}")
            return Rows(torch.cat([torch.zeros(1, table.shape[1]), table]), (len(table),))

        weights = checksum_of(pair.state_dict())
        # averages are as they were; steps were stretched over the end that no embedding covers
        version = VERSION if settings.steps == 1 else VERSION + 1
        key = json.dumps([version, weights, dataset.hash, settings.steps, settings.pool])
        rows = FeatureCache(cache).get(name_of("embeddings", address), key, compute)
        width = rows.table.shape[1] // (len(SOURCES) * settings.steps)
        return cls(rows.table[1:], width)

    def of_side(self, source: str, rows: Tensor) -> Tensor:
        """Return embeddings (B, D, S) of a side for some windows."""
        sides = self.table[rows].unflatten(1, (len(SOURCES), self.width, -1))
        return sides[:, SOURCES.index(source)]


@dataclass(frozen=True)
class Windows:
    """How a clip is cut into windows for the encoders.

    Attributes:
        steps: S, of the embedding of a clip: 1 = its average.
        pool: encode consecutive windows of the encoders' length, and join them.
        batch: clips at a time.
    """

    steps: int
    pool: bool
    batch: int

    def count(self, length: int, window: int) -> int:
        """Return how many windows of the encoders a clip of so many samples holds.

        Raises:
            UserError: the clip is shorter than a window, or longer without `pool`.
        """
        if length < window:
            raise UserError(
                f"dset.segment: clips of {length} samples; the encoders were trained on {window}: "
                "take clips at least as long"
            )
        if length > window and not self.pool:
            raise UserError(
                f"dset.segment: clips of {length} samples are longer than the {window} that the "
                "encoders were trained on: set solver.cond.window_pool=true"
            )
        return length // window

    def embed(self, pair: SavedPair) -> Callable[[Batch], Tensor]:
        """Return batch -> (B, 2, D, S) embeddings of sound and brain."""

        def both(batch: Batch) -> Tensor:
            batch = batch.to(next(pair.buffers()).device)
            parts = [self.joined(pair, batch, side) for side in SOURCES]
            return torch.stack(parts, 1)

        return both

    def joined(self, pair: SavedPair, batch: Batch, source: str) -> Tensor:
        """Return embeddings (B, D, S) of a side: those of consecutive windows, one after another.

        With S = 1 that is their average. Else a step stands for its time in the clip: the end that
        no embedding covers, because the brain answers later, repeats the last one.
        """
        window = pair.facts.window_samples
        count = self.count(batch.signal.shape[-1], window)
        parts = []
        for number in range(count):
            part = slice(number * window, (number + 1) * window)
            if source == "eeg":
                cut = {**vars(batch), "signal": batch.signal[..., part]}
                parts.append(pair.brain(Batch(**cut)))
            else:
                features = {name: batch.features[name][..., part] for name in pair.names}
                parts.append(pair.sound(features, window))
        if self.steps > 1:
            short = window - parts[0].shape[-1]
            parts = [nn.functional.pad(part, (0, short), "replicate") for part in parts]
        return resized(torch.cat(parts, -1), self.steps)
