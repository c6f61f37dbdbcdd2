from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from bm.nn.ema import EMA, power_decay
from bm.tests.shared_data import GOLDEN, needs_golden


@pytest.mark.shared
@needs_golden
def test_ramp_golden():
    golden = load_file(GOLDEN / "eeg2speech/ema/io.safetensors")
    model = nn.Linear(5, 3)
    model.load_state_dict({"weight": golden["weight"][0], "bias": golden["bias"][0]})
    ema = EMA(model, 0.9999, "ramp")
    for k in range(1, 13):
        model.load_state_dict({"weight": golden["weight"][k], "bias": golden["bias"][k]})
        ema.update(model)
        for name in ("weight", "bias"):
            value = golden[f"shadow_{name}"][k - 1]
            torch.testing.assert_close(ema.shadow[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.shared
@needs_golden
def test_power_golden():
    golden = load_file(GOLDEN / "eegdiff/schedules/io.safetensors")
    model = nn.ParameterDict({"p": nn.Parameter(torch.ones(3))})
    ema = EMA(model, 0.9999, "power", zero=True)
    for i, value in enumerate(golden["ema_params"]):
        model["p"].data.copy_(value)
        assert ema.update(model) == pytest.approx(
            float(golden["ema_decay"][i]), rel=1e-9, abs=1e-12
        )
        torch.testing.assert_close(ema.shadow["p"], golden["ema_shadow"][i], rtol=1e-6, atol=1e-6)
    ours = [power_decay(int(n), 0.9999) for n in golden["ema_decay_at"]]
    assert ours == pytest.approx(golden["ema_decay_at_value"].tolist(), rel=1e-9, abs=1e-12)


def test_applied_and_state():
    model = nn.Linear(2, 2)
    ema = EMA(model, 0.5, "constant")
    first = model.weight.detach().clone()
    with torch.no_grad():
        model.weight += 1
    ema.update(model)
    with ema.applied(model):
        torch.testing.assert_close(model.weight.detach(), first + 0.5)
    torch.testing.assert_close(model.weight.detach(), first + 1)
    other = EMA(nn.Linear(2, 2), 0.5, "constant")
    other.load_state_dict(ema.state_dict())
    assert other.count_value == 1 and torch.equal(other.shadow["weight"], ema.shadow["weight"])
    with pytest.raises(KeyError):
        EMA(nn.Linear(2, 2, bias=False), 0.5).load_state_dict(ema.state_dict())
