"""The signature rule gives the signatures that brainmagick published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bm.xp.main import Main

#: The base configuration: every key of the published table that these examples may change,
#: beside some that they leave alone.
BASE = """
defaults:
  - _self_
  - model: clip_conv
seed: 2036
dummy: null
optim:
  name: adam
  lr: 3.0e-4
  beta2: 0.999
  epochs: 40
  batch_size: 128   # of the stored experiments (its code now has 256)
  loss: l1
  max_batches: null
clip: {linear: null, twin: true, pool: false, center: false}
test: {wer_negatives: 10000, wer_topx: 10, wer_random: false, wer_recordings: 40, wer_study: null}
dset:
  selections: [gwilliams2022]
  tmin: -0.5
  tmax: 2.5
  n_recordings: 1000
  force_uid_assignement: false
  features: [Wav2VecTransformer]
norm: {max_scale: 20, clip: true}
task: {type: decode, meg_init: 0.3, offset_meg_ms: 0}
dora:
  dir: outputs
  exclude: ["wandb.*", num_prints, device, num_workers, verbose, cache, features_models]
"""
#: What the template changes; part of the base because it is chosen by a group.
TEMPLATE = """
# @package _global_
optim: {loss: clip, epochs: 200, max_batches: 1200}
task: {offset_meg_ms: 150}
"""
LISTED = "dset.selections=[{}]"
EXAMPLES = [
    ("6e3bf7d7", []),
    ("557f5f8a", [LISTED.format("broderick2019"), "test.wer_recordings=100"]),
    ("34219380", ["dset.force_uid_assignement=true", LISTED.format("audio_mous")]),
    (
        "01cd28fc",
        ["dset.force_uid_assignement=true", LISTED.format("audio_mous"), "optim.batch_size=256"],
    ),
    (
        "49efae33",
        [
            "dset.force_uid_assignement=true",
            LISTED.format("audio_mous"),
            "optim.batch_size=256",
            "seed=2037",
        ],
    ),
    ("4395629c", [LISTED.format("brennan2019")]),
]


@pytest.fixture
def main(tmp_path: Path) -> Main:
    conf = tmp_path / "conf"
    (conf / "model").mkdir(parents=True)
    (conf / "config.yaml").write_text(BASE)
    for name in ("clip_conv", "convrnn"):
        (conf / "model" / f"{name}.yaml").write_text(TEMPLATE)

    def run(cfg) -> None:
        raise AssertionError("only configurations are read")

    run.__module__ = "bm.train"
    return Main(run, "config", str(conf), version_base="1.3")


@pytest.mark.parametrize(("signature", "arguments"), EXAMPLES)
def test_published_signatures(main: Main, signature: str, arguments: list[str]) -> None:
    xp = main.get_xp(["model=clip_conv", *arguments])
    assert xp.sig == signature, json.dumps(xp.delta)


def test_defaults_and_excluded_keys_do_not_enter(main: Main) -> None:
    same = ["model=clip_conv", "seed=2036", "optim.batch_size=128", "+device=cpu"]
    assert main.get_xp(same).sig == "6e3bf7d7"
    assert main.get_xp(["model=clip_conv", "seed=2035"]).sig != "6e3bf7d7"
    assert main.get_xp(["model=convrnn"]).sig != "6e3bf7d7"
