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
PREFIXES = ("BM_", "HF_", "WANDB_", "OMP_", "MNE_")


def path() -> Path:
    """The file of this place, whether it exists or not."""
    named = os.environ.get("BM_SITE")
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "bm" / "site.yaml"


def read() -> dict[str, dict[str, Any]]:
    """Sections of the file; empty without a file.

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
        found = yaml.safe_load(file.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict):
        raise UserError(f"{file}: sections {' and '.join(SECTIONS)} are expected")
    for name, section in found.items():
        check_known(f"section of {file}", str(name), SECTIONS)
        if section is not None and not isinstance(section, dict):
            raise UserError(f"{file}: {name}: `key: value` lines are expected, not {section!r}")
    return {name: section or {} for name, section in found.items()}


def set_environment(found: dict[str, dict[str, Any]]) -> None:
    """Set the variables of the file that the process lacks; raises `UserError` on a foreign one."""
    for name, value in found.get("environment", {}).items():
        if not str(name).startswith(PREFIXES):
            known = ", ".join(f"{prefix}..." for prefix in PREFIXES)
            raise UserError(f"{path()}: environment: {name}: only {known} belong here")
        os.environ.setdefault(str(name), str(value))
