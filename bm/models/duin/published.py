"""Names of the published Du-IN files and ours, one to one.

The tensors of a subject layer are also transposed: published files have a column per subject, ours
a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from ..renaming import Rule, linear_names, nested, regression_names, renamed

#: Parts of a transformer block; four of the published baselines have the same blocks.
BLOCK = {
    "mha.W_q.W.": "attention.query.",
    "mha.W_k.W.": "attention.key.",
    "mha.W_v.W.": "attention.value.",
    "mha.norm_q.": "attention.query_norm.",
    "mha.norm_k.": "attention.key_norm.",
    "mha.attention.scale": "attention.scale",
    "mha.proj.0.": "attention.proj.",
    "norm_mha.": "attention_norm.",
    "ffn.fc1.0.": "feed_forward.fc1.",
    "ffn.fc2.0.": "feed_forward.fc2.",
    "norm_ffn.": "feed_forward_norm.",
}
#: Parts of the quantiser and the layers around it.
CODES = {
    "counts": "quantiser.counts",
    "codex.embeddings": "quantiser.codebook",
    "codex.initted": "quantiser.started",
    "pre_proj.": "to_code.",
    "layernorm.": "norm.",
    "post_proj.0.": "from_code.",
}
SUBJECT = {
    "subj_layer.W.weight": "weight",
    "subj_layer.B.weight": "offset",
    "proj_layer.": "projection.",
}
CONTRAST = {"tau": "temperature", "t": "temperature", "proj_z.0.": "left.", "proj_y.0.": "right."}
RULES: tuple[Rule, ...] = (
    ("mask_emb", "mask_token"),
    (r"emb_time\.time_encodings", "backbone.time.table"),
    *nested(r"subj_block\.", "backbone.subject.", SUBJECT),
    *nested(r"desubj_block\.", "readout.", SUBJECT),
    (r"(tokenizers?)((?:\.\d+)?)\.conv_blocks\.(\d+)\.0\.1\.", r"backbone.\1\2.blocks.\3.conv."),
    (r"(tokenizers?)((?:\.\d+)?)\.conv_blocks\.(\d+)\.1\.1\.", r"backbone.\1\2.blocks.\3.norm."),
    *nested(r"encoder\.1\.xfmr_blocks\.(\d+)\.", r"backbone.blocks.\1.", BLOCK),
    *nested(r"decoder\.1\.xfmr_blocks\.(\d+)\.", r"decoder.\1.", BLOCK),
    *nested(r"vq_block\.", "codes.", CODES),
    *nested(r"contra_block\.", "contrast.", CONTRAST),
)
TOKEN_HEADS = ("initial", "final")  # of the phoneme model, by published index
TRANSPOSED = (".subj_layer.W.weight", ".subj_layer.B.weight")


def our_names(names: Iterable[str]) -> dict[str, str]:
    """Translate all names of one published file; names that no rule knows stay as they are."""
    names = list(names)
    translated = {name: renamed(name, RULES) for name in names}
    for name, place in linear_names(names, r"cls_block\.cls_head\.").items():
        translated[name] = f"head.{place}"
    for index, head in enumerate(TOKEN_HEADS):
        for name, place in linear_names(names, rf"cls_blocks\.{index}\.cls_head\.").items():
            translated[name] = f"heads.{head}.{place}"
    for name, place in regression_names(names, r"rgs_block\.rgs_head\.").items():
        translated[name] = f"head.{place}"
    for subject in {m[1] for m in map(re.compile(r"rgs_blocks\.(\d+)\.").match, names) if m}:
        for name, place in regression_names(names, rf"rgs_blocks\.{subject}\.rgs_head\.").items():
            translated[name] = f"heads.{subject}.{place}"
    return translated


def our_tensor(name: str, tensor: Tensor) -> Tensor:
    """Give a tensor of a published name our shape."""
    return tensor.T if name.endswith(TRANSPOSED) else tensor


def our_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a published file under our names and in our shapes."""
    return {ours: our_tensor(name, state[name]) for name, ours in our_names(state).items()}
