"""`python -m scripts.prepare study=NAME|dset=NAME|solver=NAME [jobs=N] [slurm=true] [h5=FOLDER]`.

Preprocesses the recordings of a configuration into the cache, in N processes or, with `slurm=true`,
in an array of N jobs. What is there stays (`verify=true` hashes the source files again), so an
interrupted preparation goes on when it is called again. Other `key=value` words change the
configuration, as in `dora run`. Bad recordings are listed at the end; `strict=true` stops at the
first. `h5=FOLDER` writes them in the HDF5 layout of LaBraM as well, one file per study and channel
set.

  python -m scripts.prepare solver=supervised/motor
  python -m scripts.prepare study=folder path=/data/mine jobs=2
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bm.errors import UserError

from ._arguments import main_of
from ._cluster import on_slurm

ARGUMENTS = ("study", "jobs", "verify", "strict", "h5", "slurm")


def command(
    study: str | None = None,
    jobs: int = 1,
    verify: bool = False,
    strict: bool = False,
    h5: str | None = None,
    slurm: bool = False,
    overrides: Sequence[str] = (),
) -> int:
    """Prepare, print a summary; exit code 1 when a recording was skipped."""
    from bm.data.skipped import report_skipped
    from bm.data.store import recipe_of
    from bm.solvers.build_data import absolute_paths
    from bm.studies import STUDIES
    from bm.studies.choice import Choice
    from bm.studies.prepare import Job, export, prepare
    from bm.train import main
    from bm.xp.resolve import to_plain

    words = list(overrides)
    if study is not None:
        STUDIES.get(study)
        names = main.resolver.options("dset")
        words += [f"dset={study}"] if study in names else [f"dset.studies=[{{study: {study}}}]"]
    elif not words:
        raise UserError("which recordings? use study=eegmat, dset=NAME or solver=FAMILY/RECIPE")
    config = main.resolve(words).cfg
    dset = to_plain(config.dset)
    paths = absolute_paths(config.paths)
    job = Job(dset["studies"], paths, recipe_of(dset), verify, Choice.of(dset))
    if jobs < 1:
        raise UserError(f"jobs={jobs}: at least one is needed")
    # Filters run on processors: a job with a GPU would wait for what it does not use.
    spread = on_slurm("prepare", gpus=0) if slurm else None
    summary = prepare(job, jobs, strict=strict or bool(dset["strict"]), spread=spread)
    # Beside the cache, as a training lists them too.
    report_skipped(summary.bad, Path(paths["cache"]) / "signals", summary.readable)
    print(summary)
    if h5 is not None:
        for path in export(job, Path(h5)):
            print(f"written     {path}")
    return 1 if summary.bad else 0


def _words() -> tuple[list[str], list[str]]:
    """Return the arguments of the command, and the overrides of the configuration."""
    arguments = [w for w in sys.argv[1:] if "=" not in w or w.partition("=")[0] in ARGUMENTS]
    return arguments, [w for w in sys.argv[1:] if w not in arguments]


if __name__ == "__main__":
    mine, others = _words()
    sys.exit(main_of(command, mine, overrides=others))
