"""Tensor names of the U-Nets of Brain-Diffusion's own version of diffusers, and those of today."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def present_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of checkpoints written in early 2023, as today's library does."""
    tensors = {}
    for name, tensor in state.items():
        module, _, kind = name.rpartition(".")
        owner, _, last = module.rpartition(".")
        if "attentions" in owner and last in OLD_ATTENTION:
            name = f"{owner}.{OLD_ATTENTION[last]}.{kind}"
        tensors[name] = tensor
    return tensors
