"""`python -m scripts.denoise sig=ab12cd34 [n=64] [start=[2,5,10]] [steps=50] [out=FOLDER]`.

Plants artefacts of eyes, muscles and mains in real test windows of an experiment, at -7 to 2 dB,
and lets its diffusion model clean them, beside doing nothing, a filter of 1 to 40 Hz, leaving out
principal components that are too large (as artifact subspace reconstruction does), and independent
components (MNE, FastICA) by the same rule. Writes `denoising.json` and `denoising.md`.

  n=64          windows
  start=[20,..] sampling steps that are left out: more = nearer to the noisy wave
  steps=50      of the whole path
  sampler=      ddim, or euler along straight paths
  seed=0        of artefacts and start noise

  python -m scripts.denoise sig=ab12cd34 n=16
  python -m scripts.denoise sig=ab12cd34 start=[2,5,10] steps=50 out=cleaned
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bm.errors import UserError

from ._arguments import main_of


def command(
    sig: str | None = None,
    n: int = 64,
    # With 50 steps, 50, 30 and 10 % of the path are left to walk.
    start: Sequence[str] = ("25", "35", "45"),
    steps: int = 50,
    sampler: str | None = None,
    seed: int = 0,
    out: str | None = None,
) -> int:
    """Measure, print and write the table."""
    from bm.train import main
    from bm.writing import write_text
    from bm.xp.address import check_signature

    if sig is None:
        raise UserError("which model? use sig=ab12cd34")
    if n < 1:
        raise UserError(f"n={n}: at least 1")
    try:
        skipped = [int(value) for value in start]
    except ValueError:
        raise UserError(f"start={list(start)}: whole numbers, such as [25,45]") from None
    xp = main.get_xp_from_sig(check_signature(sig))
    with xp.enter():
        rows = _rows(xp.cfg, n, skipped, (sampler, steps), seed)
    folder = Path(main.dora.dir) / "denoised" / sig if out is None else Path(out).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "denoising.json", json.dumps(rows, indent=1) + "\n")
    text = _markdown(rows)
    write_text(folder / "denoising.md", text)
    print(text)
    return 0


def _rows(
    cfg: Any, n: int, skipped: Sequence[int], sampling: tuple[str | None, int], seed: int
) -> list[dict]:
    import numpy as np
    import torch

    from bm.engine.run import Run
    from bm.metrics.denoising import band_filter, clipped_components, denoising_table
    from bm.metrics.independent_components import independent_components
    from bm.models.eegdiff.generation import Sampling, Start, generate_waves, item_seeds
    from bm.solvers import build
    from bm.solvers.build_data import evenly_spaced
    from bm.solvers.diffusion import DiffusionSolver

    solver = build(cfg)
    if not isinstance(solver, DiffusionSolver) or not solver.makes_waves:
        raise UserError(f"solver {cfg.solver.name} makes no waves; use a diffusion model of waves")
    Run(solver).open_best()
    clean = solver.real(evenly_spaced(solver.data.rows("test"), n))
    # The reference learns from training windows, as the model does, never from clean test ones.
    train = solver.real(evenly_spaced(solver.data.rows("train"), 256))
    rate = solver.data.facts.rate_hz
    name = sampling[0] or ("ddim" if solver.model.noise_is_chain else "euler")
    settings = Sampling(name, sampling[1])

    def denoise(count: int) -> Any:
        def clean_waves(noisy: np.ndarray) -> np.ndarray:
            begun = Start(torch.from_numpy(noisy.astype(np.float32)), count)
            # Same start noise for all artefacts and levels: rows differ by these alone.
            waves = generate_waves(
                solver.model, item_seeds(seed, len(noisy)), settings, None, begun
            )
            return waves.double().cpu().numpy()

        return clean_waves

    methods: dict[str, Any] = {
        "nothing": lambda waves: waves,
        # Ends below mains (50 or 60 Hz); blinks of .2 to .4 s lie inside the band and stay.
        "filter 1-40 Hz": band_filter(rate),
        "components": clipped_components(train),
        "independent components": independent_components(train, rate, seed=seed),
    }
    methods |= {f"diffusion from step {count}": denoise(count) for count in skipped}
    return denoising_table(clean, rate, methods, seed)


def _markdown(rows: Sequence[dict]) -> str:
    """Return the table: SNR gains in dB, a row for each method and artefact, a column a level."""
    levels = list(dict.fromkeys(row["level_db"] for row in rows))
    lines = ["| artefact | method | " + " | ".join(f"{level:g} dB" for level in levels) + " |"]
    lines.append("|---|---|" + "---|" * len(levels))
    for artefact, method in dict.fromkeys((row["artefact"], row["method"]) for row in rows):
        gains = [
            f"{row['snr_gain_db']:+.1f}"
            for row in rows
            if (row["artefact"], row["method"]) == (artefact, method)
        ]
        lines.append(f"| {artefact} | {method} | " + " | ".join(gains) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main_of(command))
