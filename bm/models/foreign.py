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

from ..errors import UserError, nearest

#: First part of the names of a whole set of weights: wrappers of a network, and its averages.
SETS = ("module", "model", "state_dict", "ema", "ema_model", "model_ema", "averaged_model")
#: Types of the tensors of a network.
PLAIN = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)
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

    @property
    def dtypes(self) -> dict[str, torch.dtype]:
        """Type of each tensor in the file."""
        return {name: tensor.dtype for name, tensor in self.tensors.items()}


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


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except FileNotFoundError:
        raise UserError(f"path={path}: no such file") from None
    except (SafetensorError, *DAMAGED) as error:
        raise UserError(f"path={path}: not safetensors ({error})") from None


def read_checkpoint(
    path: Path, keys: Sequence[str] = ("model", "module"), weights: str | None = None
) -> ForeignFile:
    """Read the tensors of a pickled checkpoint so that no code of the file can run.

    Args:
        path: written by `torch.save`, or `.safetensors`.
        keys: top-level keys to look under, the first that is there; else the file itself is a
            state dict.
        weights: key or prefix of one of several sets of weights, such as an average.

    Raises:
        UserError: absent, damaged, of classes that are not allowed, without tensors, of several
            sets of weights, or with values that are not finite.
    """
    path = Path(path)
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read(path)
    if not isinstance(content, Mapping):
        raise UserError(f"path={path}: holds a {type(content).__name__}, not a checkpoint")
    order = keys if weights is None else (weights, *keys)
    key = next((k for k in order if isinstance(content.get(k), Mapping)), "")
    state: Mapping[str, Any] = content[key] if key else content  # type: ignore[assignment]
    # A best state may hold its network under a key of its own.
    while not any(isinstance(value, Tensor) for value in state.values()):
        inner = next((k for k in keys if isinstance(state.get(k), Mapping)), None)
        if inner is None:
            break
        state = state[inner]
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UserError(
            f"path={path}: no tensors under {', '.join(keys)}; top-level keys: "
            f"{', '.join(map(str, content)) or 'none'}"
        )
    tensors = _without_wrappers(path, tensors, weights if weights != key else None)
    _check_values(path, tensors)
    others = {str(k): _words(v) for k, v in content.items() if k != key} if key else {}
    return ForeignFile(path, key, tensors, others)


def _without_wrappers(
    path: Path, tensors: dict[str, Tensor], weights: str | None
) -> dict[str, Tensor]:
    """Cut the prefixes of parallel training, compilation and wrappers; choose one set of weights.

    Raises:
        UserError: several sets and none is named, or no set of that name.
    """
    # torch.compile puts its prefix before the names of any part that was compiled.
    short = {n: n.replace("_orig_mod.", "").removeprefix("module.") for n in tensors}
    first: dict[str, str] = {}
    for name, cut in short.items():
        other = first.setdefault(cut, name)
        if other != name:
            reason = f"holds {other} and {name}, which would be one tensor"
            raise UserError(f"path={path}: {reason}; save one of the two networks")
    tensors = {short[n]: t for n, t in tensors.items()}
    while True:
        heads = {name.partition(".")[0] for name in tensors}
        if weights is not None and weights in heads:
            head, weights = weights, None
        elif not heads <= set(SETS) or (len(heads) > 1 and weights is not None):
            break
        elif len(heads) > 1:
            raise UserError(
                f"path={path}: holds several sets of weights ({', '.join(sorted(heads))}); say "
                "which: weights="
            )
        else:
            head = heads.pop()
        start = f"{head}."
        tensors = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
    if weights is not None:
        raise UserError(f"path={path}: no set of weights {weights!r}{nearest(weights, heads)}")
    return tensors


def _check_values(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise unless all tensors are plain numbers, finite where they are stored as float32."""
    for name, tensor in tensors.items():
        plain = tensor.dtype in PLAIN and tensor.layout == torch.strided
        if not plain or tensor.is_meta or tensor.is_quantized:
            kind = "without values" if tensor.is_meta else f"{tensor.dtype}, {tensor.layout}"
            raise UserError(
                f"path={path}: tensor {name} is {kind.replace('torch.', '')}, as in no network "
                "here; save it as float32"
            )
    bad = [
        name
        for name, tensor in tensors.items()
        # Of float64, 1e300 is finite and its float32 is not.
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all())
    ]
    if bad:
        raise UserError(
            f"path={path}: {len(bad)} of {len(tensors)} tensors hold NaN or inf, first {bad[0]}; "
            "take a checkpoint from before that"
        )


def _words(value: object) -> str:
    """Describe a top-level value in a few words."""
    if isinstance(value, argparse.Namespace):
        return f"{len(vars(value))} arguments"
    if isinstance(value, Mapping):
        return f"{len(value)} entries"
    return str(value)[:40]
