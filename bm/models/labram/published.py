"""Names of the published LaBraM files and ours, one to one."""

from __future__ import annotations

from torch import Tensor

#: VQ-NSP, published prefix -> ours; all other names are the same in both.
TOKENIZER = {
    "quantize.embedding.weight": "quantiser.codebook",
    "quantize.embedding.initted": "quantiser.started",
    "quantize.embedding.cluster_size": "quantiser.start_counts",  # with `extras` only
    "quantize.embedding.embed_avg": "quantiser.start_codes",  # with `extras` only
    "quantize.cluster_size": "quantiser.counts",
    "encode_task_layer.": "to_code.",
    "decode_task_layer.": "amplitude_head.",
    "decode_task_layer_angle.": "phase_head.",
}


def our_name(name: str) -> str:
    """Return the name in our models of a tensor of a published file."""
    for theirs, ours in TOKENIZER.items():
        if name.startswith(theirs):
            return ours + name[len(theirs) :]
    return name


def our_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a published file under our names."""
    return {our_name(name): tensor for name, tensor in state.items()}
