"""Do the three stages of Du-IN learn? Simulated people, high gamma power, equal seeds.

For a workstation: about ten minutes a person on one core. The grid `duin.debug` shows that
everything runs.
"""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import DuinExplorer

SEEDS = (0, 1, 2)  # of the simulated person, and of the training
SHOTS = (None, 5, 10)  # trials of each word that train; None = all 56
HEAD = "study: simulated, mode: seeg, preset: debug, snr: 4.0, n_subjects: 1, shafts: [1, 1]"


def words_of(seed: int) -> list[str]:
    """Return the words that choose the trials of one simulated person."""
    entry = f"{{{HEAD}, contacts: [8, 8], seed: {seed}, part: task, n_runs: 4, n_trials: 20}}"
    return ["dset=duin/simulated_spoken", f"dset.studies=[{entry}]"]


def clips_of(seed: int) -> list[str]:
    """Return the words that choose what a person says without a task."""
    entry = f"{{{HEAD}, contacts: [8, 8], seed: {seed}, part: free, n_free: 8, free_s: 600.0}}"
    return ["dset=duin/simulated_spoken_clips", f"dset.studies=[{entry}]"]


@DuinExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule stages 1 and 2 of each person once, then words from both starts beside LDA."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=60)
    contexts = {}
    for seed in SEEDS:
        clips = launcher.bind(clips_of(seed), seed=seed)
        codes = stage(clips, {"solver": "duin/spoken_vqvae"})
        contexts[seed] = stage(clips, {"solver": "duin/spoken_mae", "tokenizer": codes})
    for shots in SHOTS:
        for seed, context in contexts.items():
            words = launcher.bind(words_of(seed), seed=seed)
            few = words.bind({} if shots is None else {"dset.split.shots": shots})
            few({"solver": "duin/spoken"})
            few({"solver": "duin/spoken", "init_from": context})
            few({"solver": "duin/spoken_lda"})
            if shots is None:
                few({"solver": "duin/spoken", "init_from": context, "dset.permute_labels": True})
