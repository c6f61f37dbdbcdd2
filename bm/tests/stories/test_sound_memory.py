"""The published denoiser of eeg2speech trains at its batch in the memory of a small machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

MOST_BYTES = 12e9
#: Two steps as in the engine: published sizes, AdamW, averaged weights, two clips of 10.24 s.
STEPS = """
import json, resource, sys
import torch
from bm.models.eeg2speech.latent import LatentDiffusion
from bm.nn.ema import EMA

torch.manual_seed(0)
torch.set_num_threads(1)
model = LatentDiffusion()
model.scale.fill_(1.0)
averages = EMA(model, 0.9999)
optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
losses = []
for _ in range(2):
    latents, noise = torch.randn(2, 2, *model.latent_shape).unbind(0)
    loss = model.errors(latents, noise, torch.randint(1000, (2,)), torch.randn(2, 1024)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    averages.update(model)
    losses.append(loss.item())
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
count = sum(p.numel() for p in model.network.parameters())
print(json.dumps({"bytes": peak, "parameters": count, "losses": losses}))
"""


@pytest.mark.endurance
@pytest.mark.story
def test_the_published_denoiser_trains_within_12_gb() -> None:
    words = [sys.executable, "-c", STEPS]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    measured = json.loads(process.stdout.splitlines()[-1])
    print(measured)
    assert measured["parameters"] == 185_298_696
    # the last convolution starts from zeros: the first error is that of unit noise
    assert measured["losses"][0] == pytest.approx(1, abs=0.1)
    assert measured["bytes"] < MOST_BYTES
