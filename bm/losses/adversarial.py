"""Loss of the first stage of latent diffusion: reconstruction, KL, and a patch discriminator.

Esser et al. 2021 (adaptive weight), Isola et al. 2017 (patches), as AudioLDM has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 64  # of the discriminator's first layer
MOST = 8  # times that at most
WEIGHT_LIMIT = 1e4  # of the adaptive weight
WEIGHT_EPSILON = 1e-4  # added to the gradient it is divided by


class PatchDiscriminator(nn.Module):
    """Convolutions that judge overlapping patches of a map (B, C, H, W): logits (B, 1, h, w).

    Args:
        channels: C.
        n_layers: halvings of both axes.
    """

    def __init__(self, channels: int = 1, n_layers: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, WIDTH, 4, 2, 1), nn.LeakyReLU(0.2)]
        before = WIDTH
        for layer in range(1, n_layers + 1):
            width, stride = WIDTH * min(2**layer, MOST), 2 if layer < n_layers else 1
            layers += [
                nn.Conv2d(before, width, 4, stride, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(0.2),
            ]
            before = width
        # called `main`, so that names of tensors are the published ones
        self.main = nn.Sequential(*layers, nn.Conv2d(before, 1, 4, 1, 1))
        self.apply(_start)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of patches; large ones say real."""
        logits: Tensor = self.main(x)
        return logits


def _start(module: nn.Module) -> None:
    """Draw weights as published: N(0, 0.02) of convolutions, N(1, 0.02) of norms."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def hinge_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Return the discriminator's loss of its logits."""
    return 0.5 * (functional.relu(1 - real).mean() + functional.relu(1 + generated).mean())


def mean_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, 1)) averaged over all but the first axis: (B,).

    The published value is this mean, not the sum that the library has.
    """
    terms = mean.square() + log_variance.exp() - 1 - log_variance
    return 0.5 * terms.flatten(1).mean(1)


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last: Tensor) -> Tensor:
    """Return the ratio of the gradients of two losses with respect to the last layer's weight."""
    first = torch.autograd.grad(reconstruction, last, retain_graph=True)[0]
    second = torch.autograd.grad(adversarial, last, retain_graph=True)[0]
    ratio = first.norm() / (second.norm() + WEIGHT_EPSILON)
    return ratio.clamp(0, WEIGHT_LIMIT).detach()


@dataclass(frozen=True)
class AutoencoderTerms:
    """Parts of the generator's loss of a batch.

    Attributes:
        loss: what is optimised.
        nll: sum over a map of |x - rebuilt| / exp(logvar) + logvar, mean over the batch.
        kl: of the posterior.
        rec: mean |x - rebuilt|.
        adversarial: mean of minus the logits.
        weight: adaptive weight times `weight` of the loss.
        on: 1 from the start of the discriminator on, else 0.
    """

    loss: Tensor
    nll: Tensor
    kl: Tensor
    rec: Tensor
    adversarial: Tensor
    weight: Tensor
    on: float

    def means(self) -> dict[str, Tensor]:
        """Return the parts by name, detached."""
        parts = {"nll": self.nll, "kl": self.kl, "rec": self.rec, "d_weight": self.weight}
        return {name: part.detach() for name, part in parts.items()}


class AutoencoderLoss(nn.Module):
    """Discriminator, and the two losses that it takes part in.

    Args:
        kl_weight: of the KL.
        weight: of the adversarial part, beside the adaptive one.
        start: step from which the discriminator counts.
        factor: of both adversarial losses once it does.
        channels: of the maps.
        n_layers: of the discriminator.
        wait: do not run the discriminator in training before it counts. Published: it is run, and
            its weight of zero is multiplied in; that takes a third of a step.

    Attributes:
        logvar: logarithm of the variance of the reconstruction; no optimiser has it, as published.
    """

    def __init__(
        self,
        kl_weight: float = 1000.0,
        weight: float = 0.5,
        start: int = 50001,
        factor: float = 1.0,
        channels: int = 1,
        n_layers: int = 3,
        wait: bool = False,
    ) -> None:
        super().__init__()
        self.kl_weight, self.weight, self.start, self.factor = kl_weight, weight, start, factor
        self.wait = wait
        self.logvar = nn.Parameter(torch.zeros(()), requires_grad=False)
        self.discriminator = PatchDiscriminator(channels, n_layers)

    def on(self, step: int) -> float:
        """Return the factor of the adversarial losses at an optimiser step."""
        return self.factor if step >= self.start else 0.0

    def waits(self, step: int) -> bool:
        """Return whether the discriminator is left out of a training step."""
        return self.wait and self.training and not self.on(step)

    def discriminator_loss(self, x: Tensor, rebuilt: Tensor, step: int) -> dict[str, Tensor]:
        """Return the discriminator's `loss`, and the mean logits `real` and `generated`.

        Args:
            x: (B, C, H, W) maps.
            rebuilt: the same; its gradient is not followed.
            step: number of the optimiser step.
        """
        if self.waits(step):
            nothing = x.new_zeros(())
            return {"loss": nothing, "real": nothing, "generated": nothing}
        real, generated = self.discriminator(x), self.discriminator(rebuilt.detach())
        loss = self.on(step) * hinge_loss(real, generated)
        return {"loss": loss, "real": real.mean().detach(), "generated": generated.mean().detach()}

    def forward(
        self, x: Tensor, rebuilt: Tensor, kl: Tensor, step: int, last: Tensor | None
    ) -> AutoencoderTerms:
        """Return the generator's loss.

        Args:
            x: (B, C, H, W) maps.
            rebuilt: the same, with gradient.
            kl: (B,) of the posteriors.
            step: number of the optimiser step.
            last: weight of the decoder's last layer, for the adaptive weight; None = no gradient
                is there (validation), and the weight is 0.
        """
        error = (x - rebuilt).abs()
        nll = (error / self.logvar.exp() + self.logvar).sum() / len(x)
        adversarial = weight = error.new_zeros(())
        if not self.waits(step):
            adversarial = -self.discriminator(rebuilt).mean()
            if last is not None:
                weight = adaptive_weight(nll, adversarial, last) * self.weight
        loss = nll + self.kl_weight * kl.mean() + weight * self.on(step) * adversarial
        rec = error.mean()
        return AutoencoderTerms(loss, nll, kl.mean(), rec, adversarial, weight, self.on(step))
