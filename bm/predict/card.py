"""The card of an exported model: what it is, of which data, how good, how to predict with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..facts import DataFacts
from .windows import shortened

USE = {
    "classes": "It gives the probability of each class for a window of a recording.",
    "values": "It gives values for a window of a recording.",
    "speech": "It gives an estimate of speech features for a window of a recording.",
}
LIMITS = (
    "It is meant for research. It is no medical device, and says nothing of people, recording "
    "systems or tasks that were not in its test data."
)


@dataclass(frozen=True)
class Card:
    """What a card says beside the saved model's own facts.

    Attributes:
        name: of the model's class.
        dataset: name of the data set.
        recordings: number of those in training and validation.
        evaluation: `evaluation.json` of the experiment: metrics, chance, n_items, intervals.
        marks: what its audit says.
        origin: signature, commit, version.
        licence: of the weights.
    """

    name: str
    dataset: str
    recordings: int
    evaluation: Mapping[str, Any]
    marks: Sequence[str] = ()
    origin: Mapping[str, str] = field(default_factory=dict)
    licence: str = "other"


def write_card(card: Card, facts: DataFacts) -> str:
    """Return the text of `README.md`, with the front matter that the hub reads."""
    kind = str((facts.outputs or {}).get("kind", "other"))
    data = "simulated recordings (made from equations)" if facts.simulated else "recordings"
    lines = [
        "---", f"license: {card.licence}", "library_name: bm",
        "tags: [eeg, brain-signals" + (", simulated]" if facts.simulated else "]"), "---", "",
        f"# {card.name} on {card.dataset}", "",
        f"{USE.get(kind, 'It decodes nothing by itself.')} {LIMITS}", "",
        "## Data", "",
        f"Trained on {data} of `{card.dataset}`: {card.recordings} recordings of "
        f"{len(facts.subjects)} people, {facts.n_channels} channels "
        f"({shortened(facts.channels)}) at {facts.rate_hz:g} Hz, windows of "
        f"{facts.window_samples / facts.rate_hz:g} s.",
    ]  # fmt: skip
    if facts.classes:
        lines.append(f"Classes: {', '.join(facts.classes)}.")
    lines += [f"**{mark}**" for mark in card.marks]
    lines += ["", "## Test split", "", *_table(card.evaluation), "", "## Use", "", "```python"]
    lines += _example(kind), "```", "", "## Origin", ""
    lines += [f"- {name}: {value}" for name, value in card.origin.items()]
    lines += [
        "",
        f"Licence of the weights: {card.licence}. Data keep the terms of their owners.",
        "",
    ]
    return "\n".join(lines)


def _table(evaluation: Mapping[str, Any]) -> list[str]:
    """Return a row per metric: value, interval over units of evidence (none of too few), chance."""
    metrics: Mapping[str, float] = evaluation.get("metrics", {})
    extra = evaluation.get("extra", {})
    intervals, chance = extra.get("intervals", {}), evaluation.get("chance", {})
    first = [name for name in extra.get("table", ()) if name in metrics]
    unit = extra.get("unit")
    over = f"{evaluation.get('n_items', 0)} windows" + (f" of {unit}." if unit else ".")
    rows = [over, "", "| metric | value | 95 % interval | chance |", "|---|---|---|---|"]
    for name in dict.fromkeys([*first, *intervals, *metrics]):
        low_high = intervals.get(name)
        interval = f"{low_high[0]:.3f} to {low_high[1]:.3f}" if low_high else "none"
        level = f"{chance[name]:.3f}" if isinstance(chance.get(name), int | float) else ""
        rows.append(f"| {name} | {metrics[name]:.3f} | {interval} | {level} |")
    return rows if metrics else ["It was not evaluated."]


def _example(kind: str) -> str:
    call = (
        "predictor.predict(raw)" if kind != "speech" else 'predictor.predict(raw, output="outputs")'
    )
    return (
        "import bm, mne\n\n"
        'predictor = bm.Predictor.from_pretrained("this/folder")\n'
        'raw = mne.io.read_raw("recording.edf")\n'
        f"print({call})"
    )
