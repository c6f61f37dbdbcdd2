"""Predicted brain response to a typed sentence, by an encoder of brain signals."""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import UserError, nearest
from ...features.builder import FeatureBuilder
from ...features.sentence import sentence_features, zero_features
from ...nn.sinc import lowpass_sinc
from .feature_scaling import join_features
from .solver import LOWPASS_ZEROS, ContrastiveSolver


@torch.no_grad()
def sentence_response(
    solver: ContrastiveSolver, text: str, subject: str | None = None, language: str = "en"
) -> Tensor:
    """Predict the signal of a typed sentence less that of silence: (C, T), in scaled units.

    Silence has the same length and all features zero; nothing of a signal is given to the network.
    Samples lie `solver.offset_ms` later than those of the features.

    Args:
        solver: contrastive, of an experiment with solver.task=encode, with its weights.
        text: see `features.sentence.sentence_events`.
        subject: one of `facts.subjects`; None = the mean over all of them.
        language: ISO code.

    Raises:
        UserError: another task, an unknown subject, or features that need sound.
    """
    if solver.options["task"] != "encode":
        raise UserError(f"solver.task={solver.options['task']} predicts no signal: use task=encode")
    people = list(solver.data.facts.subjects)
    if subject is not None and subject not in people:
        raise UserError(f"unknown subject {subject!r}{nearest(subject, people)}")
    builder = solver.data.window_features
    assert isinstance(builder, FeatureBuilder)
    features = list(builder.features.values())
    sentence = sentence_features(features, text, solver.rate_hz, language)
    both = [{name: values[None] for name, values in part.items()}
            for part in (sentence, zero_features(sentence))]  # fmt: skip
    length = next(iter(sentence.values())).shape[-1]
    heard = torch.cat([join_features(part, length) for part in both]).to(solver.device)
    values = solver.model.scaling(heard)
    if solver.options["lowpass_hz"] and solver.options["lowpass_target_test"]:
        cutoff = solver.options["lowpass_hz"] / solver.rate_hz
        values = lowpass_sinc(values, cutoff, LOWPASS_ZEROS)
    solver.model.eval()
    names = people if subject is None else [subject]
    return torch.stack([_of_one(solver, people.index(name), values) for name in names]).mean(0)


def _of_one(solver: ContrastiveSolver, number: int, features: Tensor) -> Tensor:
    """Return the (C, T) difference of one person, with the sensors of their first window."""
    table = solver.data.table
    names = table["study"] + "/" + table["subject"]
    row = int(table.index[names == solver.data.facts.subjects[number]][0])
    places = solver.data.gather([row]).positions[..., :2].to(solver.device)
    empty = features.new_zeros(2, places.shape[1], features.shape[-1])
    subject = torch.full((2,), number, device=solver.device)
    with solver.precision.autocast():
        heard, silence = solver.model.brain(empty, subject, places.expand(2, -1, -1), features)
    return (heard - silence).float()
