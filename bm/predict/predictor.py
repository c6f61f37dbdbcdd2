"""Predictor: a saved model with the preprocessing, windows and scaling that it was trained with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..errors import UserError
from ..losses.classification import sigmoid_probabilities
from ..metrics.classification import probabilities
from ..models import load
from ..models.contract import Codebook, TokenEncoder
from ..models.saved import read_facts
from ..nn.sinc import lowpass_sinc
from ..registry import check_known
from ..solvers.model_inputs import input_names, inputs_of
from ..xp.address import resolve
from .inputs import input_of
from .windows import Placement, WindowMaker, shortened

#: What `predict` gives: a table, class probabilities (N, K), what the network gives as it is, or a
#: vector per window before the head.
OUTPUTS = ("table", "probabilities", "outputs", "tokens")
#: Kinds of outputs that decode.
KINDS = ("classes", "values", "speech")


class Predictor:
    """Predicts from recordings with a saved model.

    >>> predictor = Predictor.from_pretrained("outputs/xps/ab12cd34/best")  # doctest: +SKIP
    >>> predictor.predict(raw, onsets_s=[12.0, 20.5])  # doctest: +SKIP

    Attributes:
        facts: channels, rate, classes and the recipe of windows that training had.
        model: in evaluation mode.

    Args:
        folder: in `save_pretrained` form.
        device: of the network.
        trust_target: the folder may name a class by a dotted path, whose code runs then.
    """

    def __init__(self, folder: Path, device: str = "cpu", trust_target: bool = False) -> None:
        self.folder, self.device = Path(folder), device
        self.model: nn.Module = load(self.folder, trust_target).to(device)
        self.facts = read_facts(self.folder)
        if (self.facts.outputs or {}).get("kind") not in KINDS:
            raise UserError(
                f"{folder}: {type(self.model).__name__} was saved by a stage that decodes nothing, "
                "or by an earlier version; use a fine-tuned classifier, decoder of values or speech"
            )
        self.maker = WindowMaker(self.facts, "channel_ids" in input_names(self.model))

    @classmethod
    def from_pretrained(
        cls, source: str | Path, device: str = "cpu", trust_target: bool = False
    ) -> Predictor:
        """Open a folder, an experiment (`//sig/ab12cd34`), or a model of the hub (`owner/name`).

        Experiments are looked for below `BM_OUTPUTS`, else `./outputs`.

        Raises:
            UserError: no saved model there, or one that decodes nothing.
        """
        text, folder = str(source), Path(source).expanduser()
        if text.startswith("//"):
            folder = resolve(text, Path(os.environ.get("BM_OUTPUTS", "outputs")) / "xps")
        elif not folder.exists() and text.count("/") == 1 and not text.startswith((".", "~")):
            folder = resolve(f"//hub/{text}", Path())
        elif (folder / "best").is_dir():  # an experiment's own folder
            folder = folder / "best"
        return cls(folder, device, trust_target)

    @property
    def kind(self) -> str:
        """Return classes, values or speech."""
        return str((self.facts.outputs or {})["kind"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes, empty of another kind."""
        return self.facts.classes if self.kind == "classes" else ()

    def predict(
        self,
        data: object,
        *,
        sfreq: float | None = None,
        ch_names: Sequence[str] | None = None,
        unit: str | None = None,
        output: str = "table",
        **options: Any,
    ) -> pd.DataFrame | np.ndarray:
        """Predict from a recording.

        Args:
            data: `mne.io.Raw`, `mne.Epochs`, or an array (C, T) or (N, C, T).
            sfreq: rate of an array in Hz; whatever it is, it is resampled to the model's.
            ch_names: channels of an array; None = those of the model, in its order.
            unit: V, mV, uV (MEG: T, fT); an array must say it, MNE objects are in V or T.
            output: table | probabilities | outputs | tokens.
            options: where windows begin in a continuous recording (`starts_s`, `onsets_s`,
                `events` or `stride_s`, see `Placement`); `subject`, of a model that knows people;
                `recording`, whose statistics scale; `preprocessed=True`, when filters were applied
                already; `batch_size`.

        Returns:
            a row per window: start_s, then label and prob_CLASS, or the values; or an array.

        Raises:
            UserError: what was given does not fit the model, in one line.
        """
        check_known("output", output, OUTPUTS)
        for name in options:
            check_known("argument of predict", name, (*Placement.__annotations__, *DEFAULTS))
        settings = {**DEFAULTS, **options}
        placement = Placement(**{k: v for k, v in options.items() if k not in DEFAULTS})
        recording = input_of(data, self.facts, sfreq, ch_names, unit)
        signal = self.maker.signal(recording, bool(settings["preprocessed"]))
        starts = self.maker.starts(signal, recording, placement)
        scaler = self.maker.scaler(signal, starts, settings["recording"])
        size = int(settings["batch_size"])
        if size < 1:
            raise UserError(f"batch_size={size}: use 1 or more")
        subject = self._subject(settings["subject"])
        batches = self.maker.batches(signal, starts, scaler, subject, size)
        values = self._run(batches, output)
        if output in ("outputs", "tokens") or (output == "table" and self.kind == "speech"):
            return values
        times = starts / self.facts.rate_hz + signal.shift_s
        return self._shown(values, times, output)

    def predict_proba(self, data: object, **arguments: Any) -> np.ndarray:
        """Return class probabilities (N, K); arguments as of `predict`."""
        values = self.predict(data, output="probabilities", **arguments)
        assert isinstance(values, np.ndarray)
        return values

    # parts --------------------------------------------------------------------------------

    def _subject(self, name: str | None) -> int:
        """Return the number of a person; refuse to guess where the model was trained on several."""
        people = self.facts.subjects
        if name is not None:
            rows = [i for i, n in enumerate(people) if name in (n, n.partition("/")[2])]
            if len(rows) != 1:
                raise UserError(f"subject={name}: the model knows {shortened(people)}")
            return rows[0]
        if len(people) > 1 and "subject" in input_names(self.model) and self._tells_people():
            raise UserError(
                f"the model learned something of each person: give subject= ({shortened(people)})"
            )
        return 0

    def _tells_people(self) -> bool:
        arguments = (getattr(self.model, "bm_arguments", None) or {}).get("arguments", {})
        return bool(arguments.get("n_subjects", 2) > 1)

    @torch.no_grad()
    def _run(self, batches: Iterator[Batch], output: str) -> np.ndarray:
        self.model.eval()  # dropout of a model that somebody has trained on would be in the result
        forward = self._tokens if output == "tokens" else self._outputs
        parts = [forward(batch.to(self.device)).float().cpu() for batch in batches]
        values = torch.cat(parts).numpy()
        return values if self.kind == "speech" else values.astype(np.float64)

    def _outputs(self, batch: Batch) -> Tensor:
        if self.kind != "speech":
            outputs: Tensor = self.model(batch.signal, **inputs_of(self.model, batch))
            return outputs
        about: dict[str, Any] = self.facts.outputs or {}
        signal = batch.signal[..., about["shift_samples"] :]
        if about["lowpass_hz"]:
            cutoff = about["lowpass_hz"] / self.facts.rate_hz
            signal = lowpass_sinc(signal, cutoff, about["lowpass_zeros"])
        estimate: Tensor = self.model(signal, batch.subject, batch.positions[..., :2])
        return estimate

    def _tokens(self, batch: Batch) -> Tensor:
        if not isinstance(self.model, TokenEncoder) or isinstance(self.model, Codebook):
            raise UserError(
                f"output=tokens: {type(self.model).__name__} gives none; use a model of LaBraM"
            )
        ids = batch.channel_ids[0]
        return self.model.tokens(batch.signal.contiguous(), ids, pool="mean")

    def _shown(
        self, values: np.ndarray, times: np.ndarray, output: str
    ) -> pd.DataFrame | np.ndarray:
        if self.kind != "classes" and output == "probabilities":
            raise UserError(
                f"output=probabilities: the model predicts {self.kind}; use output=table"
            )
        table = pd.DataFrame({"start_s": times})
        if self.kind == "values":
            return table.assign(**dict(zip(self.facts.values, values.T, strict=True)))
        probs = linked(values, str((self.facts.outputs or {})["link"]))
        if output == "probabilities":
            return probs
        classes = np.array(self.facts.classes, dtype=object)
        columns = {f"prob_{name}": probs[:, k] for k, name in enumerate(classes)}
        return table.assign(label=classes[probs.argmax(1)], **columns)


#: Options of `Predictor.predict` beside those of `Placement`.
DEFAULTS: dict[str, Any] = {
    "subject": None, "recording": None, "preprocessed": False, "batch_size": 64,
}  # fmt: skip


def linked(outputs: np.ndarray, link: str) -> np.ndarray:
    """Return class probabilities (N, K) of outputs (N, K), or (N, 1) for two classes."""
    if link == "sigmoid_share":
        return sigmoid_probabilities(torch.from_numpy(outputs)).numpy()
    if outputs.shape[1] > 1:
        return probabilities(outputs)
    positive = 1 / (1 + np.exp(-outputs[:, 0]))
    return np.stack([1 - positive, positive], 1)
