"""Words of the five original systems that somebody may type here, and what is said instead."""

from __future__ import annotations

#: Key or argument -> what to write.
WORDS = {
    "dset.selections": "recordings are a list: 'dset.studies=[{study: brennan2019}]'",
    "selections": "recordings are a list: 'dset.studies=[{study: brennan2019}]'",
    "dset.selection": "recordings are a list: 'dset.studies=[{study: brennan2019}]'",
    "dset.n_recordings": "in the entry of a study: 'dset.studies=[{study: NAME, n_recordings: 5}]'",
    "n_recordings": "in the entry of a study: 'dset.studies=[{study: NAME, n_recordings: 5}]'",
    "dset.tmin": "windows begin at dset.segment.offset_s and last dset.segment.duration_s",
    "dset.tmax": "windows begin at dset.segment.offset_s and last dset.segment.duration_s",
    "dset.sample_rate": "use dset.rate_hz",
    "dset.highpass": "a step: 'dset.preprocess=[{step: bandpass, low_hz: 0.1}]'",
    "distributed": "all GPUs of this machine: `dora run -d`; in a grid launcher.slurm_(gpus=N)",
    "world_size": "all GPUs of this machine: `dora run -d`; in a grid launcher.slurm_(gpus=N)",
    "num_workers": "use workers (0 or 1: a thread that reads ahead)",
    "grid_name": "use grid=nmi.main_table",
    "continue_sig": "use init_from=//sig/ab12cd34",
    "finetune": "use init_from=//sig/ab12cd34 or //file/FOLDER",
    "resume": "an experiment continues when the same command runs again",
    "output_dir": "results lie in outputs/xps/SIG; another place: BM_OUTPUTS=/path",
    "log_dir": "results lie in outputs/xps/SIG; another place: BM_OUTPUTS=/path",
    "data_path": "use 'dset.studies=[{study: folder, path: /data/mine}]'",
    "data_root": "use 'dset.studies=[{study: folder, path: /data/mine}]', or BM_DATA=/data",
    "tokenizer_weight": "use tokenizer=//sig/ab12cd34 or //file/FOLDER",
    "nb_classes": "classes are those of the data (dset.segment.label)",
    "warmup_epochs": "use schedule.warmup_epochs",
    "opt": "use optim.name",
    "optimizer": "use optim.name",
    "bs": "use optim.batch_size",
    **dict.fromkeys(("gpu", "gpus", "cuda"), "use device=cuda:0; all GPUs: `dora run -d`"),
    **dict.fromkeys(("lr_scheduler", "scheduler"), "use schedule.name"),
    "amp": "use precision=bf16 or precision=fp16",
    "splits": "use dset.split.ratios",
    "learning_rate": "use optim.lr",
    "optim.learning_rate": "use optim.lr",
    "dset.segment.length": "use dset.segment.duration_s",
    "dset.segment.length_s": "use dset.segment.duration_s",
}


def former(key: str) -> str:
    """Return `; use ...` for a word of another system, "" for any other word.

    >>> former("distributed")[:24], former("optim.lr")
    ('; all GPUs of this machi', '')
    """
    return f"; {WORDS[key]}" if key in WORDS else ""
