"""Adapters of Brain-Diffusion's golden cases."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch

from bm.data import segments
from bm.data.gather import gather_windows
from bm.data.signal import bare
from bm.tests.reference.byte_range import byte_range, from_byte_range

from .running import Tensors, adapter

RATE_HZ = 250.0


@adapter("eegdiff", "mi_trials")
def mi_trials(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    config, trials = case["config"], torch.from_numpy(data["trials"])
    signal = trials.transpose(1, 2).flatten(0, 1).contiguous()  # trials one after the other
    length_s = config["samples"] / RATE_HZ
    events = pd.DataFrame(
        {"kind": "trial", "start_s": [length_s * i for i in range(len(trials))],
         "duration_s": length_s}
    )  # fmt: skip
    segment = {"kind": "trial", "duration_s": config["window"] / RATE_HZ,
               "stride_s": config["step"] / RATE_HZ, "strict": True}  # fmt: skip
    table = segments.segments_of(0, events, len(signal), RATE_HZ, segment)
    windows = gather_windows(
        [bare(signal)], table["recording"].to_numpy(), table["start"].to_numpy(), config["window"]
    )
    span_uv, depth = float(config["n"]), float(config["depth"])
    scaled = byte_range(trials, span_uv, depth)
    return {
        "scaled": scaled,
        "windows": windows,
        "inverse_published": from_byte_range(scaled, span_uv, depth, as_published=True),
        "inverse_correct": from_byte_range(scaled, span_uv, depth),
    }
