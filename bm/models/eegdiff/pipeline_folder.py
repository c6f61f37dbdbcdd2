"""Pipeline folders of Brain-Diffusion: network, noise and spectrogram as their files say them.

`unet/` and `scheduler/` are written by diffusers, `Spectro/spectro_config.json` by the original.
Only JSON and weights are read; no class that a file names is built.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import UserError

#: Files of the weights, the first that is there.
WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
#: Arguments of the network that a section may have, beside those that only shape its input.
NETWORK = (
    "layers_per_block", "block_out_channels", "down_block_types", "up_block_types",
    "attention_head_dim", "norm_num_groups", "cross_attention_dim",
)  # fmt: skip
CLASSES = {"UNet2DModel": "unet2d", "UNet2DConditionModel": "unet2d_text"}
#: Keys of the scheduler, and those of section `noise`.
NOISE = {"beta_schedule": "shape", "num_train_timesteps": "steps", "beta_start": "start",
         "beta_end": "end"}  # fmt: skip
#: Keys of the spectrogram, and those of a mel representation.
SPECTRO = {"n_fft": "n_fft", "hop_length": "hop", "y_res": "n_mels", "top_db": "top_db"}


def is_pipeline(path: Path) -> bool:
    """Return whether a path is a folder with a network in it."""
    return (path / "unet").is_dir()


def weights_of(folder: Path) -> Path:
    """Return the file of the network's weights.

    Raises:
        UserError: there is none.
    """
    path = next((p for name in WEIGHTS if (p := folder / "unet" / name).exists()), None)
    if path is None:
        raise UserError(f"path={folder}: unet/ has no weights; expected {' or '.join(WEIGHTS)}")
    return path


def section_of_folder(folder: Path, section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `model` section with the network, noise and spectrogram of a pipeline folder.

    Args:
        folder: of the pipeline.
        section: that was asked for; what no file says stays as it is.

    Raises:
        UserError: a file is absent or no JSON, or the network is of another class than the section.
    """
    network = _read(folder, "unet/config.json")
    name = CLASSES.get(str(network.get("_class_name")))
    if name != section["network"].get("name"):
        raise UserError(
            f"path={folder}: unet/config.json is of {network.get('_class_name')}, the model asked "
            f"for has {section['network'].get('name')}; use model=eegdiff/bci_mel or bci_stft for "
            "UNet2DModel, zuco_... for UNet2DConditionModel"
        )
    taken = {key: network[key] for key in NETWORK if network.get(key) is not None}
    scheduler = _read(folder, "scheduler/scheduler_config.json")
    noise = {ours: scheduler[key] for key, ours in NOISE.items() if key in scheduler}
    if scheduler.get("prediction_type", "epsilon") != "epsilon":
        raise UserError(
            f"path={folder}: its network predicts {scheduler['prediction_type']}; the original "
            "predicts epsilon, and nothing else is read"
        )
    result = {**section, "network": {**section["network"], **taken}, "prediction": "noise"}
    result["noise"] = {**(section.get("noise") or {}), **noise}
    representation = dict(section["representation"])
    if representation.get("name") == "mel":
        spectro = _read(folder, "Spectro/spectro_config.json")
        representation |= {ours: spectro[key] for key, ours in SPECTRO.items() if key in spectro}
    return {**result, "representation": representation}


def rate_of(folder: Path) -> float | None:
    """Return the rate (Hz) that the spectrogram was made for, None where no file says it."""
    if not (folder / "Spectro" / "spectro_config.json").exists():
        return None
    rate = _read(folder, "Spectro/spectro_config.json").get("sample_rate")
    return None if rate is None else float(rate)


def _read(folder: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"path={folder}: no {name}; is it a whole pipeline folder?") from None
    except ValueError as error:
        raise UserError(f"path={folder}: {name} is no JSON ({error})") from None
    if not isinstance(content, dict):
        raise UserError(f"path={folder}: {name} holds a {type(content).__name__}, not a group")
    return content
