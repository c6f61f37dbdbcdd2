"""Text conditions of a diffusion model: the sentence of each window as states of its encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ..data.dataset import Dataset
from ..errors import UserError
from ..facts import DataFacts
from ..features.encodings import TextTable, text_table
from ..features.text_encoder import TextOptions, text_encoder
from ..models.eegdiff.model import EEGDiffusion
from ..registry import check_arguments
from ..xp.resolve import to_plain
from .build_data import absolute_paths

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True)
class TrainedFacts:
    """Facts of the data with what sampling must know of the training; written beside weights.

    Attributes:
        facts: of the data.
        others: further entries.
    """

    facts: DataFacts
    others: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**self.facts.to_dict(), **self.others}


def conditions_of(cfg: DictConfig) -> tuple[str, ...]:
    """Return the conditions of a configured model; models without the key have none."""
    return tuple(cfg.model.get("conditions") or ())


def trained_facts(cfg: DictConfig, facts: DataFacts) -> TrainedFacts:
    """Return the facts to save: how often conditions were withheld, and who read the texts."""
    others: dict[str, Any] = {}
    if conditions_of(cfg):
        others["drop_condition"] = float(cfg.solver.drop_condition)
    if "text" in conditions_of(cfg):
        # with all defaults written out: a later default must not change what a saved model reads
        others["text"] = asdict(text_options(to_plain(cfg.solver.get("text"))))
    return TrainedFacts(facts, others)


def encode_prompts(
    prompts: Sequence[str], section: Mapping[str, Any], models: Path | None = None
) -> tuple[Tensor, Tensor]:
    """Return states (N, L, D) and token masks (N, L) of sentences, for `generate(text=...)`.

    Args:
        prompts: sentences.
        section: `facts.others["text"]` of a pipeline: the encoder of its training.
        models: folder of downloaded models.
    """
    options = text_options(section)
    states = text_encoder(options, models).states(list(prompts))
    # equal sentences share a row of the table
    table = TextTable(dict(zip(prompts, states, strict=True)), options.tokens)
    return table.gather(prompts)


class WindowTexts:
    """The texts of all windows of a data set.

    Args:
        texts: one per row of the segment table.
        table: their states.
    """

    def __init__(self, texts: list[str], table: TextTable) -> None:
        self.texts, self.table = texts, table

    def of(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Return states (B, L, D) and token masks (B, L) of windows numbered `segments` (B,)."""
        return self.table.gather([self.texts[row] for row in segments.tolist()])

    def begin(self, model: EEGDiffusion) -> None:
        """Give a model the states of the empty text, which stands for "unknown".

        Raises:
            UserError: the network reads states of another size.
        """
        null = model.conditioning.null_text
        if tuple(null.shape) != tuple(self.table.values.shape[1:]):
            tokens, width = self.table.values.shape[1:]
            raise UserError(
                f"the text encoder gives {tokens} tokens of width {width}, the network reads "
                f"{null.shape[0]} of {null.shape[1]}; set model.text_tokens={tokens} and "
                f"model.network.cross_attention_dim={width}"
            )
        # a buffer, saved with the weights: sampling without a text then needs no encoder
        null.copy_(self.table.values[self.table.rows[""]])


def text_options(section: Mapping[str, Any] | None) -> TextOptions:
    """Build the options of section `solver.text`.

    Raises:
        UserError: an unknown key.
    """
    values = dict(section or {})
    check_arguments("solver.text", TextOptions, values)
    return TextOptions(**values)


def texts_of(dataset: Dataset) -> list[str]:
    """Return the text of each window's event.

    Raises:
        UserError: windows of events without a text.
    """
    # objects: texts of a NumPy array have a fixed width and would be cut to it
    texts = np.empty(len(dataset.table), dtype=object)
    rows = dataset.table[["recording", "event_row"]].to_numpy()
    for recording in np.unique(rows[:, 0]):
        events, members = dataset.signals[recording].events, rows[:, 0] == recording
        name = next((n for n in ("text", "word_sequence") if n in events), None)
        if name is None or (rows[members, 1] < 0).any():
            raise UserError(
                "model.conditions has 'text', but the windows of the data have none; use sentences "
                "(dset.segment.kind=sentence of zuco or simulated_reading), or other conditions"
            )
        texts[members] = events[name].to_numpy()[rows[members, 1]]
    lost = [i for i, text in enumerate(texts) if not isinstance(text, str) or not text.strip()]
    if lost:
        row = dataset.table.iloc[lost[0]]
        raise UserError(
            f"{len(lost)} windows have no text, first at {row['start_s']:.2f} s of {row['study']} "
            f"{row['subject']}; choose other events with dset.segment.kind or query"
        )
    return [str(text) for text in texts]


def window_texts(cfg: DictConfig, dataset: Dataset) -> WindowTexts | None:
    """Return the texts of windows with their states, None without a text condition.

    States that are not in the cache (`scripts.encode_condition` fills it) are computed.
    """
    if "text" not in conditions_of(cfg):
        return None
    texts = texts_of(dataset)
    options = text_options(to_plain(cfg.solver.get("text")))
    paths = absolute_paths(cfg.paths)
    encoder = text_encoder(options, paths["models"])
    return WindowTexts(texts, text_table(texts, encodings_folder(paths), encoder, options.tokens))


def encodings_folder(paths: Mapping[str, Any]) -> Path:
    """Return the folder of the states of all encoders."""
    return Path(paths["cache"]) / "encodings"


def check_guidance(cfg: DictConfig) -> None:
    """Raise `UserError` when samples shall be guided by a model that never saw "unknown".

    Guidance compares with the prediction without condition (Ho and Salimans 2022), which training
    makes when it withholds the condition of some items.
    """
    guidance = float(cfg.generate.get("guidance", 1.0))
    # at 1 the prediction without condition cancels, so that the model may lack one
    if guidance == 1.0:
        return
    if not conditions_of(cfg):
        raise UserError(f"generate.guidance={guidance:g}: the model has no condition; use 1")
    if not cfg.solver.drop_condition > 0:
        raise UserError(
            f"generate.guidance={guidance:g} with solver.drop_condition=0: training must withhold "
            "the condition of some items; set solver.drop_condition=0.1, or generate.guidance=1"
        )
