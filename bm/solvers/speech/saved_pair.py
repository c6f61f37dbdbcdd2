"""A saved contrastive run as two encoders, without its configuration: sound and brain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...data.batch import Batch
from ...data.window_features import FeatureKind
from ...errors import UserError
from ...facts import DataFacts
from ...models.saved import load_for_subjects, read_config, read_facts
from ...nn.sinc import lowpass_sinc
from ...writing import write_text
from .feature_scaling import FeatureScaling, join_features
from .pair import SpeechPair, build_pair

PAIR = "pair.json"  # beside the weights: how signals and features are brought to the networks
LOWPASS_ZEROS = 5  # zero crossings of the low-pass


def read_width(pair: SpeechPair) -> int:
    """Return the channels of a pair's targets: of its network, else of the features."""
    if pair.speech is None:
        return len(pair.scaling.centre)
    with torch.no_grad():
        # The width does not depend on time: 64 samples are any short stretch.
        probe = torch.zeros(1, len(pair.scaling.centre), 64, device=pair.scaling.centre.device)
        return int(pair.targets(probe).shape[1])


@dataclass(frozen=True)
class PairRecord:
    """What a saved pair needs beside its weights.

    Attributes:
        solver: plain section of the run.
        features: entries of `dset.features`.
        kinds: of these features, as plain values.
        offset_s: start of a window relative to its event.
        scale: `dset.scale`, how signals are scaled.
    """

    solver: dict[str, Any]
    features: list[Any]
    kinds: list[dict[str, Any]]
    offset_s: float
    scale: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write it beside the weights."""
        write_text(folder / PAIR, json.dumps(vars(self), indent=1))

    @classmethod
    def read(cls, folder: Path) -> PairRecord:
        """Read what `write` wrote; raise `UserError` where a folder has none."""
        path = folder / PAIR
        if not path.exists():
            raise UserError(
                f"{folder}: no {PAIR}; solver.encoder takes a run of solver=contrastive that was "
                "trained by this version"
            )
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise UserError(f"{path}: damaged; train the encoders again") from None


class SavedPair(nn.Module):
    """Frozen encoders of sound and brain, on the grid of the windows.

    Args:
        pair: the networks.
        record: how they are fed.
        facts: of the data they were trained on.
    """

    def __init__(self, pair: SpeechPair, record: PairRecord, facts: DataFacts) -> None:
        super().__init__()
        self.pair, self.record, self.facts = pair.eval().requires_grad_(False), record, facts
        # Cut down, not rounded, as brainmagick does: 150 ms at 120 Hz are 18 samples.
        self.shift = int(record.solver["offset_ms"] / 1000 * facts.rate_hz)

    @classmethod
    def load(cls, folder: Path, subjects: Sequence[str]) -> SavedPair:
        """Load the encoders of a saved folder for people, whose order may be another one.

        Raises:
            UserError: no contrastive run, or one that predicts signals.
        """
        record = PairRecord.read(folder)
        if record.solver["task"] != "decode":
            raise UserError(f"{folder}: solver.task={record.solver['task']}; an encoder decodes")
        facts = read_facts(folder)
        scaling = FeatureScaling([FeatureKind(**k) for k in record.kinds])
        config = read_config(folder)
        section: Mapping[str, Any] = {"name": config["name"], "target": config.get("target")}
        pair = build_pair(
            {**section, **config["arguments"]}, record.solver, facts, scaling, record.offset_s
        )
        pair.load_rest(folder)
        pair.brain = load_for_subjects(folder, subjects)
        return cls(pair, record, facts)

    @property
    def names(self) -> list[str]:
        """Names of the features that the sound's encoder reads."""
        return [kind.name for kind in self.pair.scaling.kinds]

    @property
    def width(self) -> int:
        """D, numbers of an embedding at a time."""
        return read_width(self.pair)

    def check(self, facts: DataFacts, scale: Mapping[str, Any]) -> None:
        """Raise `UserError` for data that are not brought to the encoders as in their training."""
        theirs = self.facts
        values = {
            "dset.rate_hz": (facts.rate_hz, theirs.rate_hz),
            "channels": (list(facts.channels), list(theirs.channels)),
            "dset.scale": (dict(scale), self.record.scale),
            "dset.preprocess": (facts.preprocess, theirs.preprocess),
        }
        values |= {
            f"dimension of feature {name}": (facts.features.get(name), theirs.features.get(name))
            for name in self.names
        }
        for key, (ours, before) in values.items():
            if ours != before:
                raise UserError(f"solver.encoder: {key} is {ours}, its encoders had {before}")

    @torch.no_grad()
    def sound(self, features: Mapping[str, Tensor], length: int) -> Tensor:
        """Return embeddings (B, D, T') of features (B, F, T) by name, T = `length`."""
        joined = join_features({name: features[name] for name in self.names}, length)
        scaled = self.pair.scaling(joined)
        # The brain answers later, so sound loses its end. `: -shift` would leave nothing at 0.
        scaled = scaled[..., : length - self.shift]
        # brainmagick filters targets in training but, by default, not in the test.
        if self.record.solver["lowpass_hz"] and self.record.solver["lowpass_target_test"]:
            scaled = self._lowpassed(scaled)
        embeddings: Tensor = self.pair.targets(scaled)
        return embeddings.float()

    @torch.no_grad()
    def brain(self, batch: Batch) -> Tensor:
        """Return embeddings (B, D, T') of the signals of a batch."""
        signal = batch.signal[..., self.shift :]
        if self.record.solver["lowpass_hz"]:
            signal = self._lowpassed(signal)
        embeddings: Tensor = self.pair.brain(signal, batch.subject, batch.positions[..., :2])
        return embeddings.float()

    def _lowpassed(self, x: Tensor) -> Tensor:
        cutoff = self.record.solver["lowpass_hz"] / self.facts.rate_hz
        return lowpass_sinc(x, cutoff, LOWPASS_ZEROS)
