"""Files in which Dora stores jobs, read so that no code of theirs runs.

Dora pickles the handle of a job into the experiment's folder and reads it back in `dora grid` and
`dora info`, of every experiment that the grid names; a pickle may call anything. Here only the
classes of a handle are looked up.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)
#: Modules and the names in them that a handle of the local queue or of SLURM consists of.
CLASSES = {
    "bm.xp.queue": {"LocalJob"},
    "submitit.slurm.slurm": {"SlurmJob"},
    "submitit.core.utils": {"JobPaths"},
    "pathlib": {"Path", "PosixPath", "PurePath", "PurePosixPath"},
    "pathlib._local": {"Path", "PosixPath", "PurePath", "PurePosixPath"},  # Python 3.13
    "builtins": {"set", "frozenset"},
}


class HandleUnpickler(pickle.Unpickler):
    """Unpickler that knows the classes of job handles alone."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a class of a handle; raise `UnpicklingError` for anything else."""
        if name not in CLASSES.get(module, ()):
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a job's handle")
        return super().find_class(module, name)


def read_handle(path: Path, load: Callable[..., Any] | None = None, mode: str = "rb") -> Any:
    """Return what a job file of Dora holds; None, with a warning, when it is damaged or foreign.

    Stands in for Dora's `try_load`, whose other arguments it takes.
    """
    try:
        with open(path, mode) as file:
            handle = HandleUnpickler(file).load() if load is None else load(file)
        for job in _jobs_of(handle):
            follow = getattr(job, "follow", None)
            if follow is not None:
                follow(Path(path).parent)
        return handle
    except Exception as error:
        # A damaged pickle raises nearly anything.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        logger.warning("%s: no handle of a job (%s); the job counts as unknown", path, reason)
        return None


def _jobs_of(handle: object) -> list[object]:
    """Return the jobs of a handle: one, all of its array, those that depend on it."""
    if not isinstance(handle, tuple | list):
        return [handle]
    return [job for part in handle for job in _jobs_of(part)]
