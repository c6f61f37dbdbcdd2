"""Signals for networks that know channels by their place and take scaled windows, as Du-IN's."""

from __future__ import annotations

import torch
from torch import Tensor

from ...data.recording import RecordingId
from ...data.signal import Signal
from ...errors import RecordingError, there_is
from ...facts import DataFacts

EPSILON = 1e-8  # below this deviation a channel is flat, and only its mean is subtracted


def placed(signal: Signal, facts: DataFacts, name: str) -> Signal:
    """Return a signal with the channels that the network was trained on, in their order.

    A network whose channels are numbered takes the first one for the first, whatever their names.

    Raises:
        RecordingError: a channel is not there, or another number of them.
    """
    places = {channel: place for place, channel in enumerate(signal.channels)}
    if all(channel in places for channel in facts.channels):
        return signal.select([places[c] for c in facts.channels], list(facts.channels))
    numbered = list(facts.channels) == [str(n + 1) for n in range(facts.n_channels)]
    if numbered and len(signal.channels) == facts.n_channels:
        return signal
    missing = next((c for c in facts.channels if c not in places), "")
    reason = f"{len(signal.channels)} channels, not the {facts.n_channels} of the network"
    if not numbered:
        reason = f"no channel {missing} of the network ({there_is(signal.channels, missing)})"
    raise RecordingError(name, reason, "choose them in order: dset.channels=[...]")


def row_of(facts: DataFacts, identity: RecordingId) -> int | None:
    """Return the row of a person in the network; None where it has one row for everybody.

    Raises:
        RecordingError: the network has not learned this person.
    """
    if len(facts.subjects) <= 1:
        return None
    person = f"{identity.study}/{identity.subject}"
    if person not in facts.subjects:
        reason = f"the network has learned nothing of {person} ({there_is(facts.subjects, person)})"
        raise RecordingError(identity.name, reason, "leave the person out")
    return facts.subjects.index(person)


def centre_and_scale(facts: DataFacts, signal: Signal) -> tuple[Tensor, Tensor]:
    """Return mean and deviation (C,): of the training data, else of the recording itself.

    Published checkpoints say nothing of theirs; their data were z-scored recording by recording.
    """
    if len(facts.scaler.get("centre", ())) == len(signal.channels):
        return torch.tensor(facts.scaler["centre"]), torch.tensor(facts.scaler["scale"])
    spread, centre = torch.std_mean(signal.rows(0, signal.samples).double(), 0, correction=0)
    spread = torch.where(spread > EPSILON, spread, torch.ones_like(spread))
    return centre.float(), spread.float()


def scaling_of(facts: DataFacts) -> str:
    """Return in a word where `centre_and_scale` has its numbers from."""
    return "training" if facts.scaler.get("centre") else "recording"
