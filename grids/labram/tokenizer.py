"""Tokenizers of LaBraM at published scale: encoders, size and width of the codebook, rate."""

from __future__ import annotations

from dora import Launcher

from ._explorer import LabramExplorer


@LabramExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule the published one, the deeper encoder, other codebooks, the paper's rate."""
    launcher.slurm_(gpus=8, mem_per_gpu=32, cpus_per_gpu=8, time=4320)
    bound = launcher.bind({"solver": "labram/tokenizer"})
    bound()
    bound({"optim.lr_batch": None})
    bound({"model": "labram/vqnsp_large"})
    for n_codes in (2048, 4096):
        bound({"model.n_codes": n_codes})
    bound({"model.code_width": 32})
    bound({"model.smooth": True})
