"""Stage addresses (`//sig/ab12cd34`, `//file/path`, `//hub/owner/name`) -> a saved model."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from . import marker

#: Keys that may hold an address, at any depth of the configuration.
KEYS = ("init_from", "tokenizer", "encoder", "autoencoder", "vocoder", "channels")
SIGNATURE = re.compile(r"//sig/([0-9a-f]{8})$")
BEST = "best"  # folder of the best weights within an experiment
HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
FORMS = "use //sig/ab12cd34, //file/path or //hub/owner/name"


def signature_of(address: object) -> str | None:
    """Return the signature that an address names, None for another kind of address or none."""
    match = SIGNATURE.match(address) if isinstance(address, str) else None
    return match.group(1) if match else None


def addresses(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield all addresses of a nested configuration, under the keys that may hold one."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from addresses(value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            for item in value:
                yield from addresses(item) if isinstance(item, Mapping) else ()
        elif key in KEYS and isinstance(value, str) and value.startswith("//"):
            yield value


def check_signature(value: object) -> str:
    """Return a signature that is a value of the configuration, once it is known to be one.

    Raises:
        UserError: it was read as a number (all digits, or digits-e-digits), or is none.
    """
    # Hydra reads 12345678 as an integer and 12e45678 as infinity: about 3 % of all signatures.
    if isinstance(value, int | float):
        raise UserError(
            f"signature {value!r} was read as a number; quote it for the shell and for Hydra: "
            "'key=\"12e45678\"'"
        )
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{8}", value):
        raise UserError(f"signature {value!r}: 8 hexadecimal digits are expected, e.g. ab12cd34")
    return value


def resolve(address: str, experiments: Path) -> Path:
    """Return the folder in `save_pretrained` form that an address names.

    Args:
        address: one of the three forms; `//file/a/b` is looked for below the folder where the
            command was typed, then as `/a/b`.
        experiments: folder of all experiments (`outputs/xps`).

    Raises:
        UserError: wrong form, an experiment that is absent or has not finished, an absent file,
            or a hub that cannot be reached.
    """
    if not isinstance(address, str):
        check_signature(address)
    if address.startswith("//sig/"):
        return _experiment(address, experiments)
    if address.startswith("//file/"):
        folder = _absolute(Path(address.removeprefix("//file/")).expanduser())
        folder = folder if folder.exists() else Path("/") / address.removeprefix("//file/")
        if not (folder / "config.json").exists():
            raise UserError(f"{address}: no saved model (config.json) in {folder}")
        return folder
    if address.startswith("//hub/"):
        return _hub(address.removeprefix("//hub/"))
    raise UserError(f"unknown address {address!r}; {FORMS}")


def _absolute(path: Path) -> Path:
    """Return a path from the folder where the command was typed, also in a clone of the commit."""
    # here: a saved model is opened without Dora, which pulls torch's distributed parts and Hydra
    from dora import to_absolute_path

    return Path(to_absolute_path(path))


def _experiment(address: str, experiments: Path) -> Path:
    sig = signature_of(address)
    if sig is None:
        raise UserError(f"{address}: a signature is 8 hexadecimal digits; {FORMS}")
    folder = experiments / sig
    if not folder.exists():
        raise UserError(f"{address}: no experiment {sig} in {experiments}; run it first")
    # Best weights are there from the first epoch on; only the marker says that they are final.
    if not marker.exists(folder):
        raise UserError(f"{address}: experiment {sig} has not finished; `dora run -f {sig}`")
    best = folder / BEST
    if not best.exists():
        raise UserError(f"{address}: {sig} finished without saving a model (no {best})")
    return best.resolve()


def _hub(name: str) -> Path:
    """Return the folder of a hub's model: a copy below BM_MODELS (./models), else a download."""
    local = _absolute(Path(os.environ.get("BM_MODELS", "models")) / name)
    if (local / "config.json").exists():
        return local
    if not HUB_NAME.fullmatch(name):
        raise UserError(f"{name!r}: no such folder, and no name of a hub's model (owner/name)")
    # Here: every command imports this module, and few addresses are on the hub.
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name))
    except Exception as error:
        # Any failure here is a network or a name; the library's own messages span many lines.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"//hub/{name} cannot be fetched ({reason}); where there is a network: "
            f"`hf download {name} --local-dir FOLDER`, then copy FOLDER to {local}"
        ) from error
