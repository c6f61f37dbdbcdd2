"""Names of the baselines' tensors in the files of Du-IN's comparison, and ours, one to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from ..duin.published import BLOCK, CODES
from ..renaming import Rule, linear_names, nested, regression_names, renamed

CLASSIFIER = r"cls_block\.cls_head\."
TORCH_BLOCKS = r"\.layers\."  # torch's own encoder has the same names inside


def blocks(published: str, ours: str) -> list[Rule]:
    """Rules of a stack of Du-IN's transformer blocks."""
    return nested(rf"{published}\.xfmr_blocks\.(\d+)\.", rf"{ours}.\1.", BLOCK)


SEQUENCE = r"tokenizer\.conv_blocks\.(\d+)\.0\.layers\.0\.sequential\."
STAGE = {
    "0.module.sequential.0.": "before.norm.",
    "0.module.sequential.1.linear.": "before.fc1.",
    "0.module.sequential.4.linear.": "before.fc2.",
    "1.module.layer_norm.": "attention_norm.",
    "1.module.attention.u_bias": "attention.u",
    "1.module.attention.v_bias": "attention.v",
    "1.module.attention.query_proj.linear.": "attention.query.",
    "1.module.attention.key_proj.linear.": "attention.key.",
    "1.module.attention.value_proj.linear.": "attention.value.",
    "1.module.attention.pos_proj.linear.": "attention.distance.",
    "1.module.attention.out_proj.linear.": "attention.output.",
    "2.module.sequential.0.": "convolution.norm.",
    "2.module.sequential.2.conv.": "convolution.expand.",
    "2.module.sequential.4.conv.": "convolution.depthwise.",
    "2.module.sequential.5.": "convolution.batch_norm.",
    "2.module.sequential.7.conv.": "convolution.project.",
    "3.module.sequential.0.": "after.norm.",
    "3.module.sequential.1.linear.": "after.fc1.",
    "3.module.sequential.4.linear.": "after.fc2.",
    "4.": "norm.",
}
CONTEXT = {
    "0.fn.norm.": "attention_norm.",
    "0.fn.fn.to_qkv.": "qkv.",
    "0.fn.fn.to_out.0.": "output.",
    "1.fn.norm.": "norm.",
    "1.fn.fn.net.0.": "fc1.",
    "1.fn.fn.net.3.": "fc2.",
}
#: model -> rules.
RULES: dict[str, list[Rule]] = {
    "cnn_bigru": [
        (r"tokenizer\.conv_blocks\.(\d+)\.0\.1\.", r"convolutions.\1."),
        (r"tokenizer\.conv_blocks\.\d+\.1\.", "norm."),
        (r"encoder\.gru_layers\.0\.", "recurrent."),
    ],
    "seeg_conformer": [
        (r"tokenizer\.conv_blocks\.1\.0\.", "temporal."),
        (r"tokenizer\.conv_blocks\.2\.0\.", "spatial."),
        (r"tokenizer\.conv_blocks\.3\.0\.", "norm."),
        (r"tokenizer\.conv_blocks\.6\.0\.", "mix."),
        (r"encoder\.0\.time_encodings", "time.table"),
        *blocks(r"encoder\.1", "blocks"),
    ],
    "dewave": [
        *nested(SEQUENCE, r"stages.\1.", STAGE),
        (r"tokenizer\.conv_blocks\.(\d+)\.0\.input_projection\.0\.linear\.", r"stages.\1.input."),
        (
            r"tokenizer\.conv_blocks\.(\d+)\.0\.conv_subsample\.sequential\.0\.",
            r"stages.\1.subsample.0.",
        ),
        (
            r"tokenizer\.conv_blocks\.(\d+)\.0\.conv_subsample\.sequential\.2\.",
            r"stages.\1.subsample.1.",
        ),
        (r"encoder\.0\.time_encodings", "time.table"),
        *blocks(r"encoder\.1", "blocks"),
    ],
    "tstcc": [
        (r"tokenizer\.conv_blocks\.(\d+)\.0\.1\.", r"encoder.blocks.\1.0."),
        (r"tokenizer\.conv_blocks\.(\d+)\.1\.1\.", r"encoder.blocks.\1.1."),
        (r"tc_block\.seq_transformer\.c_token", "context.token"),
        (r"tc_block\.seq_transformer\.patch_to_embedding\.", "context.input."),
        *nested(
            r"tc_block\.seq_transformer\.transformer\.layers\.(\d+)\.",
            r"context.blocks.\1.",
            CONTEXT,
        ),
        (r"tc_block\.Wk\.", "maps."),
        (r"tc_block\.projection_head\.", "projection."),
    ],
    "neurobert": [
        ("mask_emb", "mask_token"),
        (r"tokenizer\.conv_blocks\.(\d+)\.0\.1\.", r"encoder.convolutions.\1.0."),
        (r"tokenizer\.conv_blocks\.(\d+)\.1\.1\.", r"encoder.convolutions.\1.1."),
        (r"emb_time\.time_encodings", "encoder.time.table"),
        *blocks(r"encoder\.1", "encoder.blocks"),
        *blocks(r"decoder\.1", "decoder"),
    ],
    "brainbert": [
        (r"tokenizer\.input_encoding\.in_proj\.", "encoder.input."),
        (r"tokenizer\.input_encoding\.layer_norm\.", "encoder.norm."),
        (r"tokenizer\.input_encoding\.positional_encoding\.pe", "encoder.table"),
        (rf"encoder\.transformer{TORCH_BLOCKS}", "encoder.blocks.layers."),
    ],
    "brant": [
        (r"tokenizer\.mask_encoding", "mask_patch"),
        (r"tokenizer\.power_mask_encoding", "mask_power"),
        (r"tokenizer\.band_encoding", "bands"),
        (r"tokenizer\.positional_encoding", "places"),
        (r"tokenizer\.proj\.0\.", "embed."),
        (rf"encoder_t\.trans_enc{TORCH_BLOCKS}", "temporal.layers."),
        (rf"encoder_s\.trans_enc{TORCH_BLOCKS}", "spatial.layers."),
        (r"cls_block\.cls_head\.1\.", "head.hidden.0."),
        (r"cls_block\.cls_head\.classification\.0\.", "head.output."),
    ],
    "seeg_labram": [
        (r"tokenizer\.conv_blocks\.(\d+)\.([01])\.0\.", r"convolutions.\1.\2."),
        (r"encoder\.emb_chan\.1\.channel_encodings", "channels"),
        (r"encoder\.emb_time\.time_encodings", "time"),
        *blocks(r"encoder\.xfmr_stack\.1", "blocks"),
        *nested(r"vq_block\.", "codes.", CODES),
        (r"cls_block\.cls_head\.1\.", "head_norm."),
        (r"cls_block\.cls_head\.2\.", "head.output."),
    ],
}
#: Models whose head is named by rules of its own.
OWN_HEADS = ("brant", "seeg_labram")


def our_names(model: str, names: Iterable[str]) -> dict[str, str]:
    """Translate all names of one published file of a model (a key of `RULES`)."""
    names = list(names)
    translated = {name: renamed(name, RULES[model]) for name in names}
    if model not in OWN_HEADS:
        for name, place in linear_names(names, CLASSIFIER).items():
            translated[name] = f"head.{place}"
    for name, place in regression_names(names, r"rgs_block\.rgs_head\.").items():
        translated[name] = f"head.{place}"
    return translated


def our_state(model: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a published file under our names and in our shapes."""
    return {ours: our_tensor(name, state[name]) for name, ours in our_names(model, state).items()}


def our_tensor(name: str, tensor: Tensor) -> Tensor:
    """Give a tensor of a published name our shape: one time table has an axis of 1 in front."""
    return tensor[0] if name.endswith("positional_encoding.pe") else tensor
