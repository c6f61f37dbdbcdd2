"""Settings of one place: the partition of a cluster, where recordings lie. Never in a signature.

A YAML file, `~/.config/bm/site.yaml` or the one that BM_SITE names, with two sections:

    environment: {BM_DATA: /data/eeg, BM_OUTPUTS: /scratch/me/bm}
    slurm: {partition: gpu, account: mylab, setup: ["module load cuda"]}

What the process already has in its environment wins over `environment`; what a grid asks for with
`launcher.slurm_(...)` wins over `slurm`. BM_SITE=/dev/null reads no file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..registry import check_known

SECTIONS = ("environment", "slurm")
#: A file that may set PATH or LD_PRELOAD would decide which code runs.
PREFIXES = ("BM_", "HF_", "WANDB_", "OMP_", "MNE_")


def path() -> Path:
    """Return the file of this place, whether it exists or not."""
    named = os.environ.get("BM_SITE")
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "bm" / "site.yaml"


def read() -> dict[str, dict[str, Any]]:
    """Return the sections of the file; none without a file.

    Raises:
        UserError: BM_SITE names no file, the file is no YAML mapping, or it has an unknown section.
    """
    import yaml

    file = path()
    if file == Path(os.devnull):
        return {}
    if not file.is_file():
        if os.environ.get("BM_SITE"):
            raise UserError(f"BM_SITE={file}: no such file")
        return {}
    try:
        content = yaml.safe_load(file.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise UserError(f"{file}: sections {' and '.join(SECTIONS)} are expected")
    for name, section in content.items():
        check_known(f"section of {file}", str(name), SECTIONS)
        if section is not None and not isinstance(section, dict):
            raise UserError(f"{file}: {name}: `key: value` lines are expected, not {section!r}")
    return {name: section or {} for name, section in content.items()}


def set_environment(sections: dict[str, dict[str, Any]]) -> None:
    """Set the variables of the file that the process lacks; raise `UserError` on a foreign one."""
    for name, value in sections.get("environment", {}).items():
        if not str(name).startswith(PREFIXES):
            prefixes = ", ".join(f"{prefix}..." for prefix in PREFIXES)
            raise UserError(f"{path()}: environment: {name}: only {prefixes} belong here")
        os.environ.setdefault(str(name), str(value))
