"""Audit at the start of a run: which test windows has training, or a model before, seen?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.audit import Finding, audit_seen, heard_before, shared_people, stimuli_of
from ..data.dataset import Dataset
from ..data.seen import NAME as SEEN
from ..data.seen import Seen, seen_by
from ..errors import UserError
from ..xp.address import addresses
from ..xp.files import write_json, write_text

NAME = "audit.json"
SHOWN = 5  # of each sort, in the log and the file
CHECKED, NOT_CHECKED = "checked", "not checked"


@dataclass
class Audit:
    """What the audit of a run found.

    Attributes:
        leaks: test windows whose samples a model that the run begins from has seen.
        heard: test windows with a sentence or a stretch of audio that occurs in training.
        windows: test windows.
        stimuli: sentences and audio files of test windows that a model before has heard.
        people: of the test split alone, of whom a model before has seen other recordings.
        upstream: address -> `CHECKED`, or why not.
        seen: everything that the run's model will have seen.
    """

    leaks: list[Finding] = field(default_factory=list)
    heard: int = 0
    windows: int = 0
    stimuli: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    upstream: dict[str, str] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)

    @property
    def unchecked(self) -> list[str]:
        """Addresses of which nothing, or not everything, is known."""
        return [f"{name} ({why})" for name, why in self.upstream.items() if why != CHECKED]

    @property
    def state(self) -> str:
        """`leak`, `not checked` or `clean`."""
        # A leak is certain whatever else could not be checked, so it comes first.
        return "leak" if self.leaks else NOT_CHECKED if self.unchecked else "clean"

    @property
    def marks(self) -> list[str]:
        """What a table says beside the run's numbers; empty when there is nothing to say."""
        marks = [] if self.state == "clean" else [self.state]
        if self.heard:
            marks.append(f"{self.heard} of {self.windows} test windows heard in training")
        if self.stimuli:
            marks.append(f"{len(self.stimuli)} test stimuli heard by the model before")
        if self.people:
            marks.append(f"{len(self.people)} people of the test known to the model before")
        return marks

    def lines(self) -> list[str]:
        """Return lines for the log, the worst first."""
        lines = [f"LEAK {finding}" for finding in self.leaks[:SHOWN]]
        if len(self.leaks) > SHOWN:
            lines.append(f"LEAK ... and {len(self.leaks) - SHOWN} more recordings")
        lines += [f"not checked: {name}" for name in self.unchecked]
        lines += [mark for mark in self.marks if mark not in ("leak", NOT_CHECKED)]
        return lines or ["clean"]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for `audit.json`."""
        return {
            "state": self.state,
            "marks": self.marks,
            "leaks": [str(finding) for finding in self.leaks],
            "heard": self.heard,
            "windows": self.windows,
            "stimuli": self.stimuli,
            "people": self.people,
            "upstream": self.upstream,
        }

    def write(self, folder: Path) -> None:
        """Write `audit.json`, and the list that goes with the weights."""
        write_json(folder / NAME, self.to_dict())
        write_text(folder / SEEN, self.seen.to_text())


def audit_run(
    dataset: Dataset, config: Mapping[str, Any], folder_of: Callable[[str], Path]
) -> Audit:
    """Compare the test split with training, and with what the models before have seen.

    Recording time within one data set is compared when its windows are cut, which refuses.

    Args:
        dataset: of the run.
        config: plain, with the addresses of models under `init_from`, `tokenizer`, ...
        folder_of: returns the folder of an address; raises `UserError` where it cannot.
    """
    windows = dataset.windows()
    stimuli = stimuli_of(windows, [signal.events for signal in dataset.signals])
    audit = Audit(windows=int((windows["split"] == "test").sum()))
    training = seen_by(dataset, stimuli)
    audit.heard = heard_in_training(stimuli, training)
    audit.seen = training
    for address in dict.fromkeys(addresses(config)):
        try:
            before = Seen.read(folder_of(address))
            reason = "its folder lists no recordings of its training"
        except UserError as error:
            before, reason = None, str(error)
        if before is None:
            audit.upstream[address] = reason
            # Unknown is inherited: a run that begins from this one must not pass for clean.
            audit.seen = audit.seen.joined(Seen(unknown=[address]), address)
            continue
        audit.seen = audit.seen.joined(before, address)
        audit.leaks += audit_seen(dataset, before, address)
        audit.stimuli = sorted({*audit.stimuli, *heard_before(stimuli, before)["name"]})
        audit.people = sorted({*audit.people, *shared_people(dataset, before)})
        names = ", ".join(before.unknown)
        audit.upstream[address] = f"it begins from {names}, unknown" if names else CHECKED
    return audit


def heard_in_training(stimuli: pd.DataFrame, seen: Seen) -> int:
    """Return how many test windows hold a sentence or audio that training windows hold too."""
    return int(heard_before(stimuli, seen)["segment"].nunique())


def counts_in_words(dataset: Dataset) -> list[str]:
    """Return the windows, people and recordings of each split, and of each class."""
    table, classes = dataset.table, dataset.facts.classes
    # Studies number their people alike: subject 1 of two studies is two people.
    people = table["study"] + "/" + table["subject"]
    lines = []
    for split in ("train", "valid", "test"):
        rows = table["split"] == split
        count = int(rows.sum())
        text = f"{split}: {count} windows"
        if count:
            persons, recordings = people[rows].nunique(), table["recording"][rows].nunique()
            text += f" of {persons} {'person' if persons == 1 else 'people'}, "
            text += f"{recordings} recording{'' if recordings == 1 else 's'}"
        if count and 0 < len(classes) <= 20:
            # A class without windows in this split is absent from the counts, hence the 0 below.
            numbers = table.loc[rows, "label"].value_counts()
            named = [f"{name} {int(numbers.get(i, 0))}" for i, name in enumerate(classes)]
            text += f" ({', '.join(named)})"
        lines.append(text)
    return lines
