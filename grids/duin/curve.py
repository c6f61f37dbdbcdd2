"""How many trials of a word pre-training saves: simulated people, high gamma power, equal seeds."""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import DuinExplorer

SEEDS = (0, 1, 2)  # of the simulated person, and of the training
TRIALS = 80  # of each word
FEW = (5, 10, 20, 56)  # that train; as many validate, at most 8, the others test


def people(seed: int, dset: str, part: str) -> list[str]:
    """Return the words that choose the recordings of one simulated person."""
    sizes = {"task": "n_runs: 4, n_trials: 20", "free": "n_free: 6, free_s: 300.0"}[part]
    entry = (
        f"{{study: simulated, mode: seeg, preset: debug, seed: {seed}, n_subjects: 1, "
        f"shafts: [1, 1], contacts: [8, 8], part: {part}, {sizes}}}"
    )
    return [f"dset={dset}", f"dset.studies=[{entry}]"]


def ratios(trials: int) -> str:
    """Return the word that lets so many trials of each word train."""
    train, valid = trials / TRIALS, min(trials, 8) / TRIALS
    test = round(1 - train - valid, 6)
    return f"dset.split.ratios={{train: {train}, valid: {valid}, test: {test}}}"


@DuinExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule both stages of each person once, and words from three starts beside LDA."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=60)
    for seed in SEEDS:
        clips = launcher.bind(people(seed, "duin/simulated_gamma_clips", "free"), seed=seed)
        codes = stage(clips, {"solver": "duin/gamma_vqvae"})
        context = stage(clips, {"solver": "duin/gamma_mae", "tokenizer": codes})
        words = launcher.bind(people(seed, "duin/simulated_gamma", "task"), seed=seed)
        for trials in FEW:
            bound = words.bind([ratios(trials)])
            bound({"solver": "duin/gamma"})
            bound({"solver": "duin/gamma", "init_from": codes})
            bound({"solver": "duin/gamma", "init_from": context})
            bound({"solver": "duin/gamma_lda"})
