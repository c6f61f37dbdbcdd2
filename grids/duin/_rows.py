"""What several grids of Du-IN share: people, seeds, their data, and the chain of stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dora import Launcher

from bm.xp.stage import stage

PEOPLE = tuple(f"{number:03d}" for number in range(1, 13))
SEEDS = (42, 0, 1, 2, 3, 4)  # published
#: Data set of pre-training -> part of the study that it reads.
PRETRAINING = {"duin/clips": "clips", "duin/trials": "words"}


def data(person: str, dset: str = "duin", part: str = "words") -> list[str]:
    """Return the words that choose the recordings of one person."""
    # as text: Hydra reads no quoted keys, which a dictionary would be written with
    return [f"dset={dset}", f"dset.studies=[{{study: duin, part: {part}, subjects: ['{person}']}}]"]


def pretraining(person: str, dset: str) -> list[str]:
    """Return the words that choose what a person's stages 1 and 2 are trained on."""
    return data(person, dset, PRETRAINING[dset])


def starts(
    launcher: Launcher,
    person: str,
    dset: str = "duin/clips",
    tokenizer: Mapping[str, Any] | None = None,
    masked: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Schedule stages 1 and 2 of a person once, and yield what stage 3 may begin from.

    Args:
        launcher: of the grid.
        person: whose recordings.
        dset: data set of both stages.
        tokenizer, masked: what differs from the published stage 1 and 2.

    Yields:
        name, and overrides of stage 3.
    """
    bound = launcher.bind(pretraining(person, dset))
    codes = stage(bound, {"solver": "duin/vqvae", **(tokenizer or {})})
    context = stage(bound, {"solver": "duin/mae", "tokenizer": codes, **(masked or {})})
    yield "scratch", {}
    yield "vqvae", {"init_from": codes}
    yield "mae", {"init_from": context}
