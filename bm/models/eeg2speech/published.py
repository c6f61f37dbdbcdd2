"""Names of AudioLDM's tensors: ours -> theirs, for the denoiser, the first stage, the vocoder.

Where the two store a tensor in another form (attention of the first stage as 1x1 convolutions, the
vocoder's weights as direction and length) it is changed here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from .networks import AutoencoderSizes, DenoiserSizes

RESIDUAL = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
            "norm2": "out_layers.0", "conv2": "out_layers.3",
            "conv_shortcut": "skip_connection"}  # fmt: skip
ENDS = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2", "class_embedding": "film_emb",
        "conv_norm_out": "out.0", "conv_out": "out.2"}  # fmt: skip
MIDDLE_ATTENTION = {"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
                    "group_norm": "norm"}  # fmt: skip
PART = re.compile(r"(down_blocks|up_blocks)\.(\d+)\.(resnets|attentions|\w+samplers)\.(\d+)\.(.+)")
MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")


def _residual(rest: str) -> str:
    """Return the original's name of a tensor within a residual block of the denoiser."""
    layer, _, kind = rest.rpartition(".")
    return f"{RESIDUAL[layer]}.{kind}"


def denoiser_name(name: str, sizes: DenoiserSizes) -> str:
    """Return the original's name of a tensor of the denoiser."""
    owner, _, kind = name.rpartition(".")
    if owner in ENDS:
        return f"{ENDS[owner]}.{kind}"
    # entries of a level: on the way down its blocks and a downsampler, on the way up one more block
    places, blocks = sizes.places, sizes.n_blocks + 1
    if match := MIDDLE.fullmatch(name):
        what, index, rest = match[1], int(match[2]), match[3]
        if what == "attentions":
            return f"middle_block.{1 + index}.{rest}"
        return f"middle_block.{index * (places + 1)}.{_residual(rest)}"
    match = PART.fullmatch(name)
    if match is None:
        raise KeyError(name)
    side, level, what, index, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
    stem, first = ("input_blocks", 1) if side == "down_blocks" else ("output_blocks", 0)
    if what == "resnets":
        return f"{stem}.{first + level * blocks + index}.0.{_residual(rest)}"
    if what == "attentions":
        at = first + level * blocks + index // places
        return f"{stem}.{at}.{1 + index % places}.{rest}"
    if what == "downsamplers":
        return f"{stem}.{(level + 1) * blocks}.0.op.{rest.removeprefix('conv.')}"
    attends = sizes.attends[len(sizes.widths) - 1 - level]
    return f"{stem}.{level * blocks + blocks - 1}.{places * attends + 1}.{rest}"


def autoencoder_name(name: str, sizes: AutoencoderSizes) -> str:
    """Return the original's name of a tensor of the first stage."""
    half, _, rest = name.partition(".")
    if half not in ("encoder", "decoder"):
        return name
    levels = len(sizes.multipliers)
    if match := MIDDLE.fullmatch(rest):
        what, index, inner = match[1], int(match[2]), match[3]
        if what == "resnets":
            return f"{half}.mid.block_{index + 1}.{_shortcut(inner)}"
        layer, _, kind = inner.rpartition(".")
        return f"{half}.mid.attn_1.{MIDDLE_ATTENTION[layer]}.{kind}"
    if match := PART.fullmatch(rest):
        side, level, what, index, inner = match.groups()
        # the original numbers levels of the decoder too from the finest on; diffusers as they run
        place = int(level) if side == "down_blocks" else levels - 1 - int(level)
        stem = f"{half}.{'down' if side == 'down_blocks' else 'up'}.{place}"
        if what == "resnets":
            return f"{stem}.block.{index}.{_shortcut(inner)}"
        return f"{stem}.{what.removesuffix('rs')}.{inner}"
    return f"{half}.{rest.replace('conv_norm_out', 'norm_out')}"


def _shortcut(name: str) -> str:
    return name.replace("conv_shortcut", "nin_shortcut")


def vocoder_name(name: str) -> str:
    """Return the original's name of a tensor of the vocoder."""
    return name.replace("upsampler.", "ups.")


def denoiser_names(names: Iterable[str], sizes: DenoiserSizes) -> dict[str, str]:
    """Return our name -> the original's of tensors of the denoiser."""
    return {name: denoiser_name(name, sizes) for name in names}


def autoencoder_names(names: Iterable[str], sizes: AutoencoderSizes) -> dict[str, str]:
    """Return our name -> the original's of tensors of the first stage."""
    return {name: autoencoder_name(name, sizes) for name in names}


def vocoder_names(names: Iterable[str]) -> dict[str, str]:
    """Return our name -> the original's; two statistics that the original lacks are left out."""
    return {name: vocoder_name(name) for name in names if name not in ("mean", "scale")}


def attention_as_linear(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the first stage's tensors with 1x1 convolutions of its attention as matrices."""
    return {
        name: t[:, :, 0, 0] if ".mid.attn_1." in name and t.ndim == 4 else t
        for name, t in state.items()
    }


def attention_as_convolution(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the inverse of `attention_as_linear`."""
    return {
        name: t[:, :, None, None] if ".mid.attn_1." in name and t.ndim == 2 else t
        for name, t in state.items()
    }


def without_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with each pair weight_g, weight_v as one weight g v / |v|.

    The norm is over all axes but the first.
    """
    plain: dict[str, Tensor] = {}
    for name, tensor in state.items():
        stem, _, kind = name.rpartition(".")
        if kind == "weight_g" and f"{stem}.weight_v" in state:
            # by hand: SpeechT5HifiGan stores them as parametrizations and then cannot remove them
            direction = state[f"{stem}.weight_v"]
            norm = direction.flatten(1).norm(dim=1).reshape(tensor.shape)
            plain[f"{stem}.weight"] = tensor * direction / norm
        elif not (kind == "weight_v" and f"{stem}.weight_g" in state):
            plain[name] = tensor
    return plain


def average_name(name: str) -> str:
    """Return the name of the moving average of a parameter of the original's denoiser."""
    # averages are buffers of one module, and torch allows no dot in the name of a buffer
    return "model_ema." + f"diffusion_model.{name}".replace(".", "")


def with_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with each weight as weight_g (its norm) and weight_v (itself)."""
    normed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if not name.endswith(".weight"):
            normed[name] = tensor
            continue
        length = tensor.flatten(1).norm(dim=1).reshape(-1, *(1,) * (tensor.ndim - 1))
        normed[name + "_g"], normed[name + "_v"] = length, tensor
    return normed
