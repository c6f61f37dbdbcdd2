"""State dicts of published implementations into saved models of ours, by the section of a model.

For families whose files do not say what network they are of. Sizes that data decide (channels,
outputs, subjects) are read off the shapes of the tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UserError
from .foreign import ForeignFile, read_checkpoint
from .saved import LoadReport, acceptable, fit

#: Two values of a size that is asked for: the axes that change with it are its own.
PROBES = (8, 12)
#: Top-level keys of training programs under which the network is.
KEYS = ("model", "module", "state_dict", "model_state_dict", "best_state", "network", "unet")
#: Our names of all tensors of a model -> their names in published files.
Names = Callable[[nn.Module], Mapping[str, str]]
Build = Callable[..., nn.Module]


@dataclass(frozen=True)
class Imported:
    """Model of a published file.

    Attributes:
        module: with the weights of the file.
        report: what became of each tensor.
        others: further top-level keys of the file, with their content in words.
        notes: what else changed, in words: types of tensors.
    """

    module: nn.Module
    report: LoadReport
    others: dict[str, str]
    notes: tuple[str, ...] = ()


def shapes_of(build: Build, names: Names, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of a network by its published name; nothing is computed."""
    with torch.device("meta"):
        module = build(**sizes)
    theirs = names(module)
    return {theirs[name]: tuple(t.shape) for name, t in module.state_dict().items()}


def shown_sizes(
    build: Build, names: Names, tensors: Mapping[str, Tensor], sizes: Mapping[str, int | None]
) -> dict[str, int]:
    """Return sizes, those that are None read off the tensors of a file.

    Args:
        build: takes the sizes by name.
        names: of the tensors of what it builds.
        tensors: of the file, by published name.
        sizes: by name.

    Returns:
        every size that is a number or that a tensor shows.
    """
    result = {name: size for name, size in sizes.items() if size is not None}
    unknown = [name for name in sizes if name not in result]
    base = {**{name: PROBES[0] for name in unknown}, **result}
    before = shapes_of(build, names, base) if unknown else {}
    for name in unknown:
        after = shapes_of(build, names, {**base, name: PROBES[1]})
        for tensor, shape in after.items():
            axes = [k for k, (a, b) in enumerate(zip(before[tensor], shape, strict=True)) if a != b]
            present = tensors.get(tensor)
            if len(axes) != 1 or present is None or present.ndim != len(shape):
                continue
            axis = axes[0]
            slope = (shape[axis] - before[tensor][axis]) / (PROBES[1] - PROBES[0])
            size = PROBES[0] + (present.shape[axis] - before[tensor][axis]) / slope
            # Where a tensor disagrees with the first one its shape is reported by the load.
            if size == round(size) and size > 0:
                result[name] = round(size)
                break
    return result


def load_renamed(module: nn.Module, names: Names, file: ForeignFile, partial: bool) -> Imported:
    """Load the tensors of a file under our names.

    Raises:
        UserError: nothing matched, or not everything did and not `partial`.
    """
    ours = {theirs: name for name, theirs in names(module).items()}
    tensors = {ours.get(name, name): tensor for name, tensor in file.tensors.items()}
    report = fit(module, tensors, str(file.path))
    if not report.matched or not (partial or acceptable(module, report)):
        raise UserError(f"{report}; partial=true keeps what fits, another model= may fit all")
    types = {ours.get(name, name): dtype for name, dtype in file.dtypes.items()}
    return Imported(module.eval(), report, file.others, tuple(dtype_words(types, module)))


def import_state(
    path: Path,
    build: Build,
    names: Names,
    sizes: Mapping[str, int | None],
    partial: bool = False,
    weights: str | None = None,
) -> tuple[Imported, dict[str, int]]:
    """Build a network with the weights of a published state dict.

    Args:
        path: written by `torch.save`, or safetensors.
        build: takes `sizes` by name.
        names: of the tensors of what it builds.
        sizes: None = read off the tensors.
        partial: load what fits when something is missing or has another shape.
        weights: key or prefix of one of several sets of weights, such as an average.

    Returns:
        the model, and its sizes.

    Raises:
        UserError: no such file, a size that no tensor shows, or tensors that do not fit.
    """
    file = read_checkpoint(path, KEYS, weights)
    shown = shown_sizes(build, names, file.tensors, sizes)
    missing = [name for name in sizes if name not in shown]
    if missing:
        raise UserError(f"path={path}: no tensor shows {missing[0]}; give {missing[0]}=")
    return load_renamed(build(**shown), names, file, partial), shown


def dtype_words(file_dtypes: Mapping[str, torch.dtype], module: nn.Module) -> list[str]:
    """Return in words the tensors of a file that are stored in another type than the file's."""
    counts: dict[tuple[torch.dtype, torch.dtype], int] = {}
    for name, tensor in module.state_dict().items():
        before = file_dtypes.get(name)
        if before is not None and before != tensor.dtype:
            pair = (before, tensor.dtype)
            counts[pair] = counts.get(pair, 0) + 1
    return [
        f"{count} tensors are {str(a).removeprefix('torch.')} in the file and stored as "
        f"{str(b).removeprefix('torch.')}"
        for (a, b), count in counts.items()
    ]
