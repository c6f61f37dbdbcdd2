"""Task families: one solver each, all on the loop of `bm.engine`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..registry import Registry

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ..engine.solver import Solver

#: name -> module that registers it.
SOLVERS: Registry[Any] = Registry(
    "solver",
    {
        "supervised": "bm.solvers.supervised.solver",
        "baseline": "bm.solvers.baseline",
        "channels": "bm.solvers.channel_choice",
        "contrastive": "bm.solvers.speech.solver",
        "diffusion": "bm.solvers.diffusion",
        "autoencoder": "bm.solvers.autoencoder",
        "vocoder": "bm.solvers.vocoder",
        "latent_diffusion": "bm.solvers.sound.diffusion",
        "diffusion_maps": "bm.solvers.diffusion_maps",
        "masked": "bm.solvers.masked",
        "phonemes": "bm.solvers.phonemes",
        "selfsupervised": "bm.solvers.selfsupervised",
        "tokenizer": "bm.solvers.tokenizer",
    },
)

#: name -> keys of section `solver` that it reads and no recipe names; `+solver.KEY=value` adds one.
OPTIONS = {
    "supervised": ("permutations",),
    "channels": ("permutations",),
    "baseline": ("permutations",),
    "latent_diffusion": ("recogniser",),
}


def build(cfg: DictConfig) -> Solver:
    """Build the solver named `cfg.solver.name`; raises `UserError` with the nearest name."""
    return SOLVERS.get(cfg.solver.name)(cfg)
