"""Baselines of Du-IN's task: every shipped file, their inputs, their pre-training."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from scipy import signal as scipy_signal
from torch import Tensor, nn

from bm.errors import UserError
from bm.facts import DataFacts
from bm.losses.masked import masked_errors
from bm.models import build_model, init_weights, save
from bm.models.baselines.brainbert_mae import hide, stripes
from bm.models.baselines.brant import EDGES_HZ, band_power
from bm.models.baselines.seeg_labram import coordinate_encoding
from bm.models.baselines.tstcc import nt_xent, permuted_view, scaled_view
from bm.models.contract import SelfSupervised

CONF = Path(__file__).resolve().parents[3] / "conf/model/baselines"
#: file -> sampling rate, seconds of a window, trained parameters at the published size.
FILES = {
    "cnn_bigru": (30, 3, 542_141),
    "seeg_conformer": (250, 3, 2_333_245),
    "dewave": (500, 3, 5_694_013 - 5 * (1280 + 128 * 128 * 9 + 128)),
    "tstcc": (400, 3, 324_669),
    "tstcc_contrast": (400, 3, 371_552),
    "neurobert": (400, 3, 2_136_253),
    "neurobert_mae": (400, 4, 3_633_290),
    "brainbert": (1000, 3, 43_551_293),
    "brainbert_base": (1000, 3, 22_287_677),
    "brainbert_small": (1000, 3, 5_064_269),
    "brainbert_mae": (1000, 4, 43_183_144),
    "brant": (200, 3, 69_296_957),
    "brant_mae": (200, 4, 66_493_640),
    "seeg_labram": (200, 3, 6_314_565 - (200 * 201 + 64 * 201 + 2 * 64 + 200 * 65)),
    "seeg_labram_popt": (200, 3, 6_314_565 - (200 * 201 + 64 * 201 + 2 * 64 + 200 * 65) - 2000),
}
SMALL: dict[str, dict[str, Any]] = {
    "brainbert": {"width": 24, "depth": 1, "n_heads": 2, "ff_width": 20, "max_frames": 130},
    "brant": {"width": 16, "temporal_depth": 1, "spatial_depth": 1, "n_heads": 2, "ff_width": 8},
    "brainbert_mae": {"width": 24, "depth": 1, "n_heads": 2, "ff_width": 20, "max_frames": 170},
    "brant_mae": {
        "width": 16,
        "temporal_depth": 1,
        "spatial_depth": 1,
        "n_heads": 2,
        "ff_width": 8,
    },
    "dewave": {"filters": [16, 16], "kernels": [9, 3], "pools": [10, 5]},
    "tstcc_contrast": {"steps": 5, "context": 8},
}
BLOCKS = {"depth": 1, "n_heads": 2, "head_width": 6, "ff_width": 20}


def config(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONF / f"{name}.yaml").read_text())


def facts(name: str, n_channels: int = 10, n_classes: int = 61) -> DataFacts:
    rate, seconds, _ = FILES[name]
    return DataFacts(
        channels=tuple(f"A{i}" for i in range(n_channels)),
        rate_hz=float(rate),
        window_samples=rate * seconds,
        classes=tuple(f"w{i}" for i in range(n_classes)),
        subjects=("s0",),
    )


def small(name: str, **changes: Any) -> Any:
    torch.manual_seed(0)
    full = config(name)
    if "blocks" in full:
        full["blocks"].update(BLOCKS)
    return build_model({**full, **SMALL.get(name, {}), **changes}, facts(name, 4, 3))


def signal(name: str, n: int = 3) -> Tensor:
    rate, seconds, _ = FILES[name]
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, rate * seconds, 4, generator=generator).transpose(1, 2)


def run(name: str, model: nn.Module, x: Tensor) -> Tensor:
    """Loss of one step."""
    if isinstance(model, SelfSupervised):
        return model.self_losses(x)["loss"]
    if name == "neurobert_mae":
        mask = torch.rand(len(x), 40) > 0.5
        return (model(x, mask) - model.patch_targets(x)).square().mean()  # type: ignore[operator]
    inputs = {"positions": 0.05 * torch.randn(len(x), 4, 3)} if name.endswith("popt") else {}
    return nn.functional.cross_entropy(model(x, **inputs), torch.arange(len(x)) % 3)


@pytest.mark.parametrize("name", FILES)
def test_every_shipped_file_has_the_published_size(name: str) -> None:
    with torch.device("meta"):
        model = build_model(config(name), facts(name))
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == FILES[name][2]


@pytest.mark.parametrize("name", FILES)
def test_one_step_reaches_every_parameter(name: str) -> None:
    if name in ("brainbert_base", "brainbert_small"):
        name = "brainbert"
    model = small(name)
    loss = run(name, model, signal(name))
    loss.backward()
    assert torch.isfinite(loss)
    assert not [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]


# BrainBERT and Brant: what they see of a signal -------------------------------------------


def test_a_spectrogram_is_scipys() -> None:
    model, x = small("brainbert"), signal("brainbert")
    spectrogram = model.spectrogram(x)
    assert spectrogram.shape == (3, 4, 121, 40)
    _, _, theirs = scipy_signal.stft(x.numpy(), 1000, "hann", 200, 175, boundary="zeros")
    theirs = np.abs(theirs[:, :, :40]).swapaxes(2, 3)
    theirs = (theirs - theirs.mean(2, keepdims=True)) / theirs.std(2, keepdims=True)
    np.testing.assert_allclose(spectrogram, theirs, atol=2e-3)
    silent = torch.zeros(1, 4, 3000)
    assert model(silent).isfinite().all()


def test_a_gradient_into_the_encoder_is_scaled() -> None:
    x, gradients = signal("brainbert"), []
    for scale in (1.0, 0.1):
        model = small("brainbert", gradient_scale=scale, dropout=0.0)
        run("brainbert", model, x).backward()
        gradients.append((model.encoder.input.weight.grad, model.head.output.weight.grad))
    (inner, head), (scaled, same) = gradients
    torch.testing.assert_close(scaled, 0.1 * inner, atol=1e-9, rtol=1e-3)
    torch.testing.assert_close(same, head)


@pytest.mark.parametrize("n_samples", [200, 201])
def test_band_power_is_of_scipys_periodogram(n_samples: int) -> None:
    patches = torch.randn(2, 3, n_samples) * 30 + 5
    hertz, density = scipy_signal.periodogram(patches.numpy(), 200.0)
    bands = [(hertz > a) & (hertz <= b) for a, b in itertools.pairwise(EDGES_HZ)]
    expected = [density[..., inside].sum(-1) for inside in bands]
    power = band_power(patches, 200.0)
    np.testing.assert_allclose(power, np.log10(np.stack(expected, -1) + 1), rtol=1e-3, atol=1e-5)
    assert (power[..., -1] == 0).all()  # 110 to 128 Hz at 200 Hz: nothing


def test_a_model_says_what_windows_it_takes() -> None:
    for name, n_times in (("brant", 500), ("seeg_labram", 450), ("tstcc", 30)):
        short = DataFacts(("a",), float(FILES[name][0]), n_times, classes=("u", "v"))
        with pytest.raises(UserError, match=f"{n_times} samples"):
            build_model(config(name), short)
    with pytest.raises(UserError, match="steps=30"):
        small("tstcc_contrast", steps=30)
    with pytest.raises(UserError, match="must make the 40 samples"):
        small("neurobert_mae", head={"strides": [2, 2, 5], "filters": [4] * 3, "kernels": [3] * 3})


# LaBraM-PopT ------------------------------------------------------------------------------


def test_places_are_coordinates_in_millimetres() -> None:
    encoding = coordinate_encoding(torch.tensor([[12.0, -30.0, 5.0]]), 200)
    assert encoding.shape == (1, 200)
    assert encoding[0, 68].item() == pytest.approx(np.sin(-30.0), abs=1e-5)  # 68 values an axis
    model, x = small("seeg_labram_popt").eval(), signal("seeg_labram_popt")
    positions = 0.05 * torch.randn(3, 4, 3)
    assert not torch.allclose(model(x, positions), model(x, positions.flip(1)), atol=1e-5)
    for missing in (None, positions * torch.nan):
        with pytest.raises(UserError, match="no positions"):
            model(x, missing)


def test_a_pretrained_tokenizer_is_loaded(tmp_path: Path) -> None:
    """Fault 14: the loader looked for another name and left out the convolutions."""
    model = small("seeg_labram_popt")
    save(model, tmp_path / "m", facts("seeg_labram_popt", 4, 3))
    torch.manual_seed(9)
    other = build_model({**config("seeg_labram_popt"), "blocks": BLOCKS},
                        facts("seeg_labram_popt", 4, 3))  # fmt: skip
    before = other.convolutions[0][0].weight.clone()
    report = init_weights(other, tmp_path / "m")
    assert not torch.equal(other.convolutions[0][0].weight, before)
    assert torch.equal(other.convolutions[0][0].weight, model.convolutions[0][0].weight)
    assert any(name.startswith("convolutions.") for name in report.matched)


# pre-training -----------------------------------------------------------------------------


def test_a_permuted_view_keeps_every_channel_apart() -> None:
    """Fault 14: the permuted view copied the first channel into all."""
    torch.manual_seed(0)
    x = torch.stack([torch.randperm(50).float() for _ in range(12)]).view(4, 3, 50)
    view = permuted_view(x)
    for window, permuted in zip(x, view, strict=True):
        order = (permuted[:, :, None] - window[:, None]).abs().argmin(-1)  # nearest old sample
        assert (order == order[0]).all()  # one order for all channels of a window
        assert sorted(order[0].tolist()) == list(range(50))
    assert not torch.allclose(view, x, atol=0.1)
    factors = scaled_view(x + 1) / (x + 1)
    assert factors.mean().item() == pytest.approx(2.0, abs=0.01)
    torch.testing.assert_close(factors[:, 0], factors[:, 2], atol=1e-4, rtol=1e-4)


def test_contrast_of_contexts_is_its_formula() -> None:
    a, b = torch.randn(3, 4), torch.randn(3, 4)
    both = torch.nn.functional.normalize(torch.cat([a, b]), dim=1)
    rows = []
    for i in range(6):
        scores = [float(both[i] @ both[j]) / 0.2 for j in range(6)]
        others = np.logaddexp.reduce([s for j, s in enumerate(scores) if j != i])
        rows.append(others - scores[(i + 3) % 6])
    assert nt_xent(a, b, 0.2).item() == pytest.approx(np.mean(rows), rel=1e-5)


def test_a_future_is_predicted_among_those_of_the_batch() -> None:
    model = small("tstcc_contrast").eval()
    past, future = torch.randn(3, 20, 128), torch.randn(3, 20, 128)
    loss, context = model.predict(past, future, 7)
    expected = []
    for step, layer in enumerate(model.maps):
        scores = future[:, 8 + step] @ layer(context).T  # token of a against prediction of b
        expected.append(-scores.log_softmax(1).diagonal().mean())
    torch.testing.assert_close(loss, torch.stack(expected).mean())
    torch.testing.assert_close(context, model.context(past[:, :8]))


def test_neurobert_is_pretrained_and_transferred(tmp_path: Path) -> None:
    mae, x = small("neurobert_mae").eval(), signal("neurobert_mae")
    mask = torch.rand(3, 40) > 0.5
    targets = mae.patch_targets(x)
    assert targets.shape == (3, 40, 160)
    torch.testing.assert_close(targets[1, 2].view(4, 40), x[1, :, 80:120])
    errors = (mae(x, mask) - targets).square().mean(-1)
    values, share = masked_errors(errors, mask), mask.float().mean()
    mean = values["loss_masked"] * share + values["loss_complement"] * (1 - share)
    torch.testing.assert_close(mean, errors.mean())  # all samples, as published
    save(mae, tmp_path / "m", facts("neurobert_mae", 4, 3))
    model = small("neurobert")
    report = init_weights(model, tmp_path / "m")
    assert all(name.startswith("head.") for name in report.missing)
    weight = model.encoder.blocks[0].attention.query.weight
    assert torch.equal(weight, mae.encoder.blocks[0].attention.query.weight)


# pre-training that draws what is hidden -----------------------------------------------------


@pytest.mark.parametrize(
    ("pretrained", "model"),
    [("tstcc_contrast", "tstcc"), ("brainbert_mae", "brainbert"), ("brant_mae", "brant")],
)
def test_pretraining_is_where_a_classifier_begins(pretrained: str, model: str, tmp_path) -> None:
    before = small(pretrained)
    save(before, tmp_path / "m", facts(pretrained, 4, 3))
    after = small(model, **{"max_frames": 170} if model == "brainbert" else {})
    report = init_weights(after, tmp_path / "m")
    assert all(name.startswith("head.") for name in report.missing)
    assert not report.wrong_shape and len(report.matched) > 5
    same = dict(before.state_dict())
    for name in report.matched:
        assert torch.equal(after.state_dict()[name], same[name])


def test_stripes_are_as_wide_and_as_many_as_they_should_be() -> None:
    torch.manual_seed(0)
    hidden = stripes(400, 160, 0.1, (1, 4))
    # a line is visible when no stripe of 1, 2, 3 or 4 lines that reaches it begins
    reach = [1.0, 0.75, 0.5, 0.25]
    share = 1 - np.prod([1 - 0.1 * r for r in reach])
    assert float(hidden[:, 10:].float().mean()) == pytest.approx(share, abs=0.01)
    values = torch.arange(1.0, 161)[None, :, None].expand(400, 160, 2)
    changed = hide(values, hidden)
    assert torch.equal(changed[~hidden], values[~hidden])
    lines = changed[hidden][:, 0]
    zeroed, stayed = lines == 0, lines == values[hidden][:, 0]
    assert float(zeroed.float().mean()) == pytest.approx(0.8, abs=0.02)
    assert float(stayed.float().mean()) == pytest.approx(0.1, abs=0.02)


def test_hidden_patches_are_not_seen() -> None:
    model, x = small("brant_mae").eval(), signal("brant_mae")
    hidden = torch.zeros(3, 4, 4, dtype=torch.bool)
    hidden[:, 1, 2] = True
    other = x.clone()
    other[:, 1, 400:600] += 5
    assert torch.equal(model(x, hidden)[:, 1, 2], model(other, hidden)[:, 1, 2])
    assert not torch.equal(model(x, ~hidden)[:, 0, 0], model(other, ~hidden)[:, 0, 0])
    values = model.self_losses(x)
    assert values["chance_loss"] > 0 and values["loss"] > 0


def test_chance_of_the_contrasts_is_an_even_guess() -> None:
    values = small("tstcc_contrast").self_losses(signal("tstcc_contrast"))
    assert float(values["chance_temporal"]) == pytest.approx(2 * np.log(3))
    assert float(values["chance_contextual"]) == pytest.approx(np.log(5))
