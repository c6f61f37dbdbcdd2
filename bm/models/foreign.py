"""Checkpoints of published implementations: their tensors and plain values, no foreign code."""

from __future__ import annotations

import argparse
import contextlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError

#: what torch raises on the bytes of something else
DAMAGED = (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True)
class ForeignFile:
    """A state dict from a checkpoint of another program.

    Attributes:
        path: of the file.
        key: top-level key that held the tensors, empty when they were the whole file.
        tensors: by name.
        others: other top-level keys, with what they hold in words.
    """

    path: Path
    key: str
    tensors: dict[str, Tensor]
    others: dict[str, str] = field(default_factory=dict)


def allowed_classes() -> list[Any]:
    """Return harmless classes of training programs: their arguments, and numpy's numbers.

    Numpy's are listed under the names of versions 1 and 2: either may have written the file.
    """
    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in ("f8", "f4", "i8", "i4", "b1")]
    names = [f"numpy{inner}.multiarray.scalar" for inner in (".core", "._core")]
    return [argparse.Namespace, np.dtype, *kinds, *((scalar, name) for name in names)]


@contextlib.contextmanager
def _restricted() -> Iterator[None]:
    """Let torch unpickle the allowed classes, and no other, in the block."""
    with torch.serialization.safe_globals(allowed_classes()):
        yield


def _read(path: Path) -> Any:
    """Return the content of a pickled file; raise `UserError` with the reason if it has none."""
    try:
        with _restricted():
            # never without weights_only: a pickle may run any code
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"path={path}: no such file") from None
    except pickle.UnpicklingError as error:
        reason = str(error).split("\n")[0].strip()
        # torch names the refused class somewhere in a page of advice: that line is the reason
        for line in str(error).split("\n"):
            if "GLOBAL" in line or "Unsupported" in line:
                reason = line.partition(" Please")[0].strip()
        raise UserError(
            f"path={path}: not read, because it is damaged or would run code of its own ({reason})"
        ) from None
    except DAMAGED as error:
        reason = f"{type(error).__name__}: {error}".split("\n")[0]
        raise UserError(f"path={path}: not a checkpoint of torch ({reason})") from None


def read_checkpoint(path: Path, keys: Sequence[str] = ("model", "module")) -> ForeignFile:
    """Read the tensors of a pickled checkpoint so that no code of the file can run.

    Args:
        path: written by `torch.save`.
        keys: top-level keys to look under, the first that is there; else the file itself is a
            state dict.

    Raises:
        UserError: absent, damaged, of classes that are not allowed, or without tensors.
    """
    content = _read(Path(path))
    if not isinstance(content, Mapping):
        raise UserError(f"path={path}: holds a {type(content).__name__}, not a checkpoint")
    key = next((k for k in keys if isinstance(content.get(k), Mapping)), "")
    state = content[key] if key else content
    tensors = {
        # the prefix that DistributedDataParallel puts before every name
        str(name).removeprefix("module."): value
        for name, value in state.items()
        if isinstance(value, Tensor)
    }
    if not tensors:
        raise UserError(
            f"path={path}: no tensors under {', '.join(keys)}; top-level keys: "
            f"{', '.join(map(str, content)) or 'none'}"
        )
    others = {str(k): _words(v) for k, v in content.items() if k != key} if key else {}
    return ForeignFile(Path(path), key, tensors, others)


def _words(value: Any) -> str:
    """Describe a top-level value in a few words."""
    if isinstance(value, argparse.Namespace):
        return f"{len(vars(value))} arguments"
    if isinstance(value, Mapping):
        return f"{len(value)} entries"
    return str(value)[:40]
