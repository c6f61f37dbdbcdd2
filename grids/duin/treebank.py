"""Brain Treebank: nouns against verbs as they are heard, from scratch and after pre-training.

Pre-training sees the person's other films; windows of one second are whole numbers of patches.
"""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import DuinExplorer

SEEDS = (0, 1, 2)
#: People with three films: the first trains, the second validates, the third tests.
PEOPLE = (1, 2, 3, 4)


def entry(person: int) -> str:
    """Return the word that chooses the recordings of one person."""
    return f"dset.studies=[{{study: brain_treebank, subjects: [{person}]}}]"


@DuinExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule the choice of channels, both stages at these, and the words of each person."""
    launcher.slurm_(gpus=1, mem_per_gpu=32, cpus_per_gpu=8, time=1440)
    for person in PEOPLE:
        words = launcher.bind(["dset=brain_treebank", entry(person)])
        choice = stage(words, {"solver": "duin/channels"})
        best = {"dset.channels": choice}
        clips = launcher.bind(["dset=brain_treebank_clips", entry(person)])
        codes = stage(clips, {"solver": "duin/vqvae", **best})
        context = stage(clips, {"solver": "duin/mae", "tokenizer": codes, **best})
        for seed in SEEDS:
            words({"solver": "duin/cls", **best}, seed=seed)
            words({"solver": "duin/cls", "init_from": context, **best}, seed=seed)
