"""Pretrained models that features use: from a folder, from `paths.models`, or from the hub."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub import snapshot_download

from ..errors import UserError
from ..writing import locked

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Files that a model is read from.
PATTERNS = ("*.json", "*.txt", "*.model", "*.safetensors", "*.bin")


def find_model(feature: str, model: str, models: Path | None) -> Path:
    """Return the folder of a model: `model` itself, one below `models`, or fetched from the hub.

    Args:
        feature: who asks, for the message.
        model: a folder, or a name on the hub (`owner/name`).
        models: folder of models (`paths.models`).

    Raises:
        UserError: it is nowhere and cannot be fetched: what to fetch and where to put it.
    """
    local = Path(models or "models") / model
    for folder in (Path(model), local):
        if (folder / "config.json").is_file():
            return folder
    reason = _fetch(model, local)
    if reason is None:
        return local
    raise UserError(
        f"feature {feature}: no model {model} ({reason}); fetch it with "
        f"`hf download {model} --local-dir {local}` where there is a network and put the folder "
        f"at {local}, or give the feature model=FOLDER"
    )


def _fetch(model: str, local: Path) -> str | None:
    """Fetch a model from the hub into `local`; return why that failed, or None."""
    if model.count("/") != 1 or model.startswith((".", "/")):
        return f"there is no config.json in {model}"
    with locked(local.parent / f".{local.name}.lock"):
        if (local / "config.json").is_file():
            return None
        try:
            snapshot_download(model, local_dir=local, allow_patterns=list(PATTERNS))
        except Exception as error:
            # The hub raises its own, requests' and the system's errors: offline, unknown, gated.
            return f"the hub does not answer: {type(error).__name__}"
    return None if (local / "config.json").is_file() else "the hub has no config.json of it"


def fingerprint(folder: Path) -> str:
    """Return a hash of the files of a model: names and sizes, and the content of its config.

    Weights are gigabytes: their size stands for them.
    """
    files = sorted(p for pattern in PATTERNS for p in folder.glob(pattern))
    text = json.dumps([[p.name, p.stat().st_size] for p in files])
    return hashlib.sha256(text.encode() + (folder / "config.json").read_bytes()).hexdigest()[:16]


@functools.lru_cache(maxsize=2)
def load_model(folder: str, device: str, random: bool = False) -> PreTrainedModel:
    """Load a transformer in evaluation mode, shared by all features of the process.

    Args:
        folder: of the model.
        device: where it runs.
        random: weights drawn with a fixed seed, the configuration alone is read.
    """
    # two seconds of a processor (2.3 measured) that every run of a diffusion solver would pay
    from transformers import AutoConfig, AutoModel

    if random:
        # A control: the architecture without what it has learned.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = AutoModel.from_config(AutoConfig.from_pretrained(folder))
    else:
        model = AutoModel.from_pretrained(folder)
    return model.to(device).eval().requires_grad_(False)


def read_config(folder: Path) -> dict[str, Any]:
    """Read `config.json` of a model."""
    try:
        return dict(json.loads((folder / "config.json").read_text()))
    except ValueError as error:
        raise UserError(f"{folder}/config.json: damaged ({error}); fetch the model again") from None
