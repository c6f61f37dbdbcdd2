"""Few labelled trials of a word: does pre-training on all trials, without labels, help?

Simulated people, high gamma power, equal seeds; as many trials as a published recording has.
For a workstation: about a quarter of an hour a person on one core.
"""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import DuinExplorer

#: Of the simulated person, and of the training. What is simulated, rates and epochs were chosen on
#: the first four; the others had no part in it.
SEEDS = (0, 1, 2, 3, 4, 5, 6)
FRESH = (4, 5, 6)
SHOTS = (5, 10)  # labelled trials of each word; all of them last
MANY = {"optim.lr": 1e-3, "optim.epochs": 24}  # of all trials
SIZE = "n_subjects: 1, n_runs: 12, n_trials: 20, shafts: [1, 1], contacts: [8, 8]"


def trials_of(seed: int) -> list[str]:
    """Return the words that choose the trials of one simulated person."""
    entry = f"{{study: simulated, mode: seeg, preset: debug, snr: 2.0, {SIZE}, seed: {seed}, "
    return [f"dset.studies=[{entry}part: task}}]", f"seed={seed}"]


@DuinExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule both stages of each person once, then words from three starts beside LDA."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=60)
    starts = {}
    for seed in SEEDS:
        trials = launcher.bind(trials_of(seed))
        codes = stage(trials, {"solver": "duin/few_vqvae"})
        starts[seed] = stage(trials, {"solver": "duin/few_mae", "tokenizer": codes})
    for seed, start in starts.items():
        words = launcher.bind(trials_of(seed))
        for shots in SHOTS:
            few = words.bind({"dset.split.shots": shots})
            few({"solver": "duin/few_scratch"})
            few({"solver": "duin/few", "init_from": start})
            few({"solver": "duin/few_lda"})
        many = words.bind({"solver": "duin/few", "init_from": start, **MANY})
        many()
        many({"dset.permute_labels": True})
        words({"solver": "duin/few_lda"})
