"""The stages before latent diffusion: encoders, autoencoder, vocoder, loaded by address."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...data.dataset import Dataset
from ...errors import UserError
from ...models import load
from ...models.eeg2speech.autoencoder import MelAutoencoder
from ...models.eeg2speech.generation import check_vocoder
from ...models.eeg2speech.vocoder import Vocoder
from ..speech.saved_pair import SavedPair
from .clips import WAVE, check_clips


@dataclass(frozen=True)
class Chain:
    """Frozen stages of a run.

    Attributes:
        autoencoder, pair: first stage and encoders.
        vocoder: None = Griffin-Lim.
        folders: of each stage that was loaded.
    """

    autoencoder: MelAutoencoder
    pair: SavedPair
    vocoder: Vocoder | None
    folders: dict[str, Path]

    @classmethod
    def load(
        cls, section: dict[str, Any], folder_of: Callable[[str], Path], dataset: Dataset,
        scale: dict[str, Any], device: torch.device,
    ) -> Chain:  # fmt: skip
        """Load the stages that the `solver` section names, for the windows of a data set.

        Args:
            section: `encoder`, `autoencoder` (both needed) and `vocoder`.
            folder_of: address -> folder.
            dataset: what they are applied to.
            scale: `dset.scale`.
            device: where they go.

        Raises:
            UserError: a stage is missing, of another kind, or does not fit data and other stages.
        """
        check_stages(section)
        if WAVE not in dataset.facts.features:
            raise UserError(f"dset.features: add {{name: {WAVE}}}, the sound that is generated")
        names = [n for n in ("encoder", "autoencoder", "vocoder") if section.get(n)]
        folders = {name: folder_of(section[name]) for name in names}
        autoencoder = _loaded("autoencoder", folders["autoencoder"], MelAutoencoder)
        check_clips(dataset, autoencoder.audio)
        vocoder = None
        if "vocoder" in folders:
            vocoder = _loaded("vocoder", folders["vocoder"], Vocoder)
            check_vocoder(autoencoder, vocoder)
        pair = SavedPair.load(folders["encoder"], dataset.facts.subjects)
        pair.check(dataset.facts, scale)
        stages = [s for s in (autoencoder, pair, vocoder) if s is not None]
        for stage in stages:
            stage.to(device).eval().requires_grad_(False)
        return cls(autoencoder, pair, vocoder, folders)

    def keep_beside(self, folder: Path) -> None:
        """Put autoencoder and vocoder beside the denoiser, so that its folder makes sound alone.

        As hard links where that is possible: nothing is written twice.
        """
        for name in ("autoencoder", "vocoder"):
            if name in self.folders:
                shutil.copytree(self.folders[name], folder / name, copy_function=_linked)


def _linked(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
    return target


def _loaded(name: str, folder: Path, kind: type[nn.Module]) -> Any:
    """Return the model of a folder; raise `UserError` when it is no such stage."""
    module = load(folder)
    if not isinstance(module, kind):
        raise UserError(
            f"solver.{name}: {folder} holds a {type(module).__name__}, not a {kind.__name__}"
        )
    return module


def check_stages(section: Mapping[str, Any]) -> None:
    """Raise `UserError` where the `solver` section does not name a stage that is needed."""
    for name in ("encoder", "autoencoder"):
        if not section.get(name):
            raise UserError(
                f"solver.{name} is not set: name that stage, solver.{name}=//sig/ab12cd34; "
                "`dora grid eeg2speech.debug` runs all of them"
            )
