"""Loss of the first stage: when the discriminator counts, what the adaptive weight is."""

from __future__ import annotations

import torch

from bm.losses.adversarial import AutoencoderLoss, adaptive_weight, mean_kl
from bm.losses.vocoder import VocoderDiscriminator


def test_the_discriminator_counts_from_its_step_on() -> None:
    loss = AutoencoderLoss(start=5, n_layers=1)
    x, rebuilt = torch.randn(2, 1, 16, 16), torch.randn(2, 1, 16, 16, requires_grad=True)
    kl = torch.ones(2)
    before, after = (loss(x, rebuilt, kl, step, rebuilt) for step in (4, 5))
    assert (before.on, after.on) == (0.0, 1.0)
    assert torch.allclose(after.loss - before.loss, after.weight * after.adversarial, rtol=1e-3)
    assert float(loss.discriminator_loss(x, rebuilt, 4)["loss"].detach()) == 0
    assert float(loss.discriminator_loss(x, rebuilt, 5)["loss"].detach()) > 0


def test_a_discriminator_that_waits_changes_nothing_before_its_start() -> None:
    x, rebuilt = torch.randn(2, 1, 16, 16), torch.randn(2, 1, 16, 16, requires_grad=True)
    kl, always = torch.ones(2), AutoencoderLoss(start=5, n_layers=1)
    waiting = AutoencoderLoss(start=5, n_layers=1, wait=True)
    waiting.load_state_dict(always.state_dict())
    for step in (4, 5):
        terms = [loss(x, rebuilt, kl, step, rebuilt) for loss in (always, waiting)]
        assert torch.equal(terms[0].loss, terms[1].loss)
    assert not waiting.discriminator_loss(x, rebuilt, 4)["loss"].requires_grad
    assert float(waiting.discriminator_loss(x, rebuilt, 5)["loss"].detach()) > 0
    # validation shows its logits at any step
    assert float(waiting.eval().discriminator_loss(x, rebuilt, 4)["real"]) != 0


def test_the_adaptive_weight_is_a_ratio_of_gradients() -> None:
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    assert torch.allclose(adaptive_weight((6 * weight).sum(), (2 * weight).sum(), weight),
                          torch.tensor(3.0), rtol=1e-3)  # fmt: skip
    assert float(adaptive_weight((weight * 1e9).sum(), (weight * 0).sum(), weight)) == 1e4


def test_the_divergence_is_a_mean_over_elements() -> None:
    assert torch.allclose(mean_kl(torch.ones(3, 4, 2, 2), torch.zeros(3, 4, 2, 2)),
                          torch.full((3,), 0.5))  # fmt: skip


def test_vocoder_discriminators_tell_real_from_generated() -> None:
    judges = VocoderDiscriminator(width=16)
    real, generated = torch.randn(2, 2000), torch.randn(2, 2000, requires_grad=True)
    assert float(judges.loss(real, generated)) > 0
    parts = judges.generator_loss(real, generated)
    sum(parts.values()).backward()  # type: ignore[union-attr]
    assert generated.grad is not None and bool(generated.grad.abs().sum() > 0)
    assert float(judges.generator_loss(real, real)["feature"]) == 0
