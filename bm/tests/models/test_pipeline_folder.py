"""Pipeline folders as Brain-Diffusion leaves them become saved models of ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler, UNet2DModel

from bm.errors import UserError
from bm.models.eegdiff.importing import import_published
from bm.models.eegdiff.pipeline_folder import section_of_folder

from ..shipped import section

WIDTHS = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4,
          "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
          "up_block_types": ("AttnUpBlock2D", "UpBlock2D"), "attention_head_dim": 4}  # fmt: skip
SPECTRO = {"x_res": 32, "y_res": 32, "sample_rate": 250, "n_fft": 50, "hop_length": 10,
           "top_db": 80, "n_iter": 32, "eeg_channels": 5}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = UNet2DModel(sample_size=(5, 32, 32), in_channels=5, out_channels=5, **WIDTHS)
    network.save_pretrained(tmp_path / "unet")
    DDPMScheduler(500, beta_start=2e-4).save_pretrained(tmp_path / "scheduler")
    (tmp_path / "Spectro").mkdir()
    (tmp_path / "Spectro/spectro_config.json").write_text(json.dumps(SPECTRO))
    return tmp_path


def test_network_noise_and_spectrogram_are_those_of_the_folder(folder: Path) -> None:
    asked = section("model", "eegdiff/bci_mel")
    imported, facts = import_published(folder, asked, {"n_times": 310})
    report = imported.report
    assert not report.unexpected and not report.wrong_shape
    # the original computes no statistics of its maps
    assert all(name.startswith("representation.") for name in report.missing)
    model = imported.module
    assert facts.n_channels == 5 and facts.rate_hz == 250.0
    assert model.noise.steps == 500 and model.noise.start == 2e-4
    mel = model.representation.mel
    assert (model.representation.bins, mel.stft.hop, mel.top_db) == (32, 10, 80)
    x, t = torch.randn(2, *model.representation.shape), torch.tensor([3, 400])
    theirs = UNet2DModel.from_pretrained(folder / "unet")
    with torch.no_grad():
        torch.testing.assert_close(model(x, t), theirs(x, t).sample)


def test_folders_that_are_not_whole_are_one_line(folder: Path) -> None:
    asked = section("model", "eegdiff/bci_mel")
    with pytest.raises(UserError, match="unet2d_text; use model=eegdiff/bci_mel"):
        section_of_folder(folder, section("model", "eegdiff/zuco_mel"))
    (folder / "Spectro/spectro_config.json").write_text("{")
    with pytest.raises(UserError, match="is no JSON"):
        import_published(folder, asked, {"n_times": 310})
    (folder / "scheduler/scheduler_config.json").unlink()
    with pytest.raises(UserError, match="no scheduler/"):
        import_published(folder, asked, {"n_times": 310})
