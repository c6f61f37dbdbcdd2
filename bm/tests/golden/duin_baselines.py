"""Adapters of the golden cases of Du-IN's comparison: nine baselines on the same task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bm.losses.classification import sigmoid_cross_entropy
from bm.models.baselines.brainbert import BrainBERT
from bm.models.baselines.brant import Brant
from bm.models.baselines.cnn_bigru import CNNBiGRU
from bm.models.baselines.dewave import DeWave
from bm.models.baselines.neurobert import NeuroBERT, NeuroBERTMAE
from bm.models.baselines.published import our_names, our_state, our_tensor
from bm.models.baselines.seeg_conformer import SeegConformer
from bm.models.baselines.seeg_labram import MM, SeegLaBraM
from bm.models.baselines.tstcc import TSTCC, TSTCCContrast

from .duin_keys import as_tensors, compare_keys, expected, tensor_shapes
from .running import Tensors, adapter


def blocks(c: dict) -> dict[str, Any]:
    """Section `blocks` of the nested configuration of a transformer."""
    assert c["rot_theta"] is None
    assert c["ff_dropout"] == [c["attn_dropout"], 0.0]
    assert c["proj_dropout"] == 0.0
    return {
        "depth": c["n_blocks"],
        "n_heads": c["n_heads"],
        "head_width": c["d_head"],
        "ff_width": c["d_ff"],
        "dropout": c["attn_dropout"],
        "norm_first": c["norm_first"],
        "residual_scores": c["res_attn"],
    }


def cnn_bigru(c: dict, n_times: int) -> nn.Module:
    """Of the configuration of a case."""
    cnn, gru = c["cnn"], c["gru"]
    return CNNBiGRU(
        cnn["n_channels"], c["cls"]["n_labels"], cnn["n_filters"], cnn["kernel_sizes"],
        cnn["n_strides"], gru["n_layers"], gru["dropout"], gru["use_bigru"], c["cls"]["d_hidden"],
    )  # fmt: skip


def conformer(c: dict, n_times: int) -> nn.Module:
    """Of the configuration of a case."""
    t = c["tokenizer"]
    assert t["n_strides"] == [1]
    return SeegConformer(
        t["n_channels"], n_times, c["cls"]["n_labels"], t["n_filters"][0], t["kernel_sizes"][0],
        t["pool_size"], t["pool_stride"], t["dropout"], blocks(c["encoder"]), c["cls"]["d_hidden"],
    )  # fmt: skip


def dewave(c: dict, n_times: int) -> nn.Module:
    """Of the configuration of a case."""
    t = c["tokenizer"]
    return DeWave(
        t["n_channels"], n_times, c["cls"]["n_labels"], t["n_filters"], t["kernel_sizes"],
        t["n_strides"], blocks=blocks(c["encoder"]), hidden=c["cls"]["d_hidden"], extras=True,
    )  # fmt: skip


def neurobert(c: dict, n_times: int) -> nn.Module:
    """Of the configuration of a case."""
    t = c["tokenizer"]
    return NeuroBERT(
        t["n_channels"], n_times, c["cls"]["n_labels"], t["n_filters"], t["kernel_sizes"],
        t["n_strides"], blocks(c["encoder"]), c["cls"]["d_hidden"],
    )  # fmt: skip


def tstcc(c: dict, n_times: int) -> nn.Module:
    """Of the configuration of a case."""
    t = c["tokenizer"]
    return TSTCC(
        t["n_channels"], n_times, c["cls"]["n_labels"], t["n_filters"], t["kernel_sizes"],
        t["n_strides"], t["pool_sizes"], t["pool_strides"], t["dropout"], c["cls"]["d_hidden"],
    )  # fmt: skip


def brainbert(c: dict, n_times: int) -> nn.Module:
    """Of the configuration of a case."""
    t, e, head = c["tokenizer"], c["encoder"], c["cls"]
    assert e["activation"] == "gelu"
    return BrainBERT(
        head["d_feature"] // e["d_model"], head["n_labels"], bins=t["n_freqs"], width=e["d_model"],
        depth=e["n_blocks"], n_heads=e["n_heads"], ff_width=e["d_ff"], dropout=t["dropout"],
        max_frames=t["max_len"], centre=head["avg_range"], hidden=head["d_hidden"],
        gradient_scale=c["grad_scale"],
    )  # fmt: skip


def brant(c: dict, n_times: int) -> nn.Module:
    """Of the configuration of a case."""
    t, e, time, space = c["tokenizer"], c["encoder"], c["encoder"]["time"], c["encoder"]["spatial"]
    assert (time["n_heads"], time["d_ff"]) == (space["n_heads"], space["d_ff"])
    return Brant(
        e["n_channels"], e["n_segs"] * t["seg_len"], c["cls"]["n_labels"], 200.0, t["seg_len"],
        t["d_model"], time["n_blocks"], space["n_blocks"], time["n_heads"], time["d_ff"],
        t["max_segs"], c["cls"]["d_hidden"],
    )  # fmt: skip


def labram(c: dict, n_times: int, places: str = "learned") -> nn.Module:
    """Of the configuration of a case."""
    t, e, vq = c["tokenizer"], c["encoder"], c["vq"]
    codes = {"n_codes": vq["codex_size"], "width": vq["d_codex"], "kmeans": vq["init_kmeans"]}
    codes |= {"decay": vq["decay"], "beta": vq["beta"]}
    return SeegLaBraM(
        e["n_channels"], n_times, c["cls"]["n_labels"], n_times // e["max_segs"], t["n_filters"],
        t["kernel_sizes"], t["n_strides"], places, blocks(e), codes, extras=True,
    )  # fmt: skip


def popt(c: dict, n_times: int) -> nn.Module:
    """Of the configuration of a case."""
    assert c["encoder"]["n_axes"] == 3
    return labram(c, n_times, "coordinates")


#: component -> rules of its names, builder, and whether the scores are sigmoids.
CASES: dict[str, tuple[str, Callable[[dict, int], nn.Module], bool]] = {
    "baseline-cnn-bigru": ("cnn_bigru", cnn_bigru, True),
    "baseline-eeg-conformer": ("seeg_conformer", conformer, True),
    "baseline-dewave": ("dewave", dewave, True),
    "baseline-neurobert-cls": ("neurobert", neurobert, True),
    "baseline-tstcc-cls": ("tstcc", tstcc, False),
    "baseline-brainbert-cls": ("brainbert", brainbert, True),
    "baseline-brant-cls": ("brant", brant, True),
    "baseline-labram-cls": ("seeg_labram", labram, False),
    "baseline-labram-popt-cls": ("seeg_labram", popt, False),
}


def signal(data: dict[str, Tensor]) -> Tensor:
    """Input of a case as (B, C, T)."""
    x = data["X"] if "X" in data else data["S"]
    return x.transpose(1, 2) if x.ndim == 3 else x.flatten(2)


def logits_of(model: nn.Module, data: dict[str, Tensor]) -> Tensor:
    """Logits of the inputs of a case."""
    x = signal(data)
    if isinstance(model, BrainBERT):
        return model.classify(data["S"])
    if isinstance(model, Brant):
        return model.head(model.encode(data["X"], data["band_power"]).flatten(1))
    if "channel_pos" in data:
        return model(x, data["channel_pos"] / MM)  # type: ignore[no-any-return]
    return model(x)  # type: ignore[no-any-return]


def run_baseline(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    """A classifier of a case."""
    rules, build, sigmoid = CASES[case["component"]]
    arrays = as_tensors(data)
    model = build(case["config"], signal(arrays).shape[-1])
    model.load_state_dict(our_state(rules, as_tensors(weights)), strict=True)
    logits = logits_of(model.eval(), arrays)
    loss = sigmoid_cross_entropy if sigmoid else functional.cross_entropy
    outputs = {
        "scores": logits.sigmoid() if sigmoid else logits,
        "loss_total": case["config"]["cls_loss_scale"] * loss(logits, arrays["y"]),
    }
    return expected(case, data, outputs)


for component in CASES:
    adapter("duin", component)(run_baseline)


def published(name: str, c: dict) -> tuple[str, nn.Module]:
    """Rules and model of a keys file of a baseline, at its published size."""
    channels, times, labels = c["n_channels"], c.get("seq_len", 0), c.get("n_labels", 0)
    four = {"depth": 4, "ff_width": 512}
    head = {"filters": (128, 128, 128), "kernels": (3, 3, 19), "strides": (2, 2, 10)}
    codes = {"n_codes": 8192, "width": 64}
    builders: dict[str, tuple[str, Callable[[], nn.Module]]] = {
        "cnn-bigru": ("cnn_bigru", lambda: CNNBiGRU(channels, labels)),
        "eeg-conformer": (
            "seeg_conformer",
            lambda: SeegConformer(channels, times, labels, blocks={"depth": 4, "ff_width": 256}),
        ),
        "dewave": (
            "dewave",
            lambda: DeWave(
                channels, times, labels, blocks={"depth": 6, "ff_width": 512}, extras=True
            ),
        ),
        "tstcc-cls": ("tstcc", lambda: TSTCC(channels, times, labels)),
        "tstcc-contra": ("tstcc", lambda: TSTCCContrast(channels, times)),
        "neurobert-cls": ("neurobert", lambda: NeuroBERT(channels, times, labels, blocks=four)),
        "neurobert-mae": (
            "neurobert",
            lambda: NeuroBERTMAE(channels, times, blocks=four, decoder_depth=4, head=head),
        ),
        "brainbert-cls": ("brainbert", lambda: BrainBERT(channels, labels)),
        "brant-tiny-cls": ("brant", lambda: Brant(channels, times, labels, c["resample_rate"])),
        "labram-cls": (
            "seeg_labram",
            lambda: SeegLaBraM(
                channels, times, labels, blocks={"ff_width": 800}, codes=codes, extras=True
            ),
        ),
    }
    rules, build = builders[name]
    return rules, build()


def baseline_keys(case: dict, name: str) -> dict[str, Any]:
    """A keys file `keys-baseline-<name>.json`."""
    with torch.device("meta"):
        rules, model = published(name, case["config"])
    return compare_keys(model, case, our_names(rules, tensor_shapes(case)), our_shape)


def our_shape(name: str, shape: list[int]) -> list[int]:
    """Shape here of a published tensor."""
    return list(our_tensor(name, torch.empty(shape, device="meta")).shape)
