"""Building a model from its name and data facts, and its folder in `save_pretrained` form."""

from __future__ import annotations

import importlib
import inspect
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..facts import DataFacts
from ..nn.electrode_rows import ElectrodeRows
from ..nn.per_subject import PerSubject
from ..registry import check_arguments
from ..writing import replacing_folder
from . import MODELS
from .contract import Loadable, SubjectRows

RESERVED = ("name", "target")
CHECKSUM = "crc32"  # key of the metadata of a safetensors file
CONFIG, FACTS, WEIGHTS = "config.json", "facts.json", "model.safetensors"


class FactsRecord(Protocol):
    """Facts of data that can be written as JSON, e.g. `DataFacts`."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""


def find_class(name: str | None, target: str | None) -> Any:
    """Return the class of a registered name, or of a dotted path that the user gives.

    Raises:
        UserError: no such name or path, or one that is no network.
    """
    if target is None:
        return MODELS.get(str(name))
    module, _, attribute = str(target).rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"model.target={target}: {error}; use package.module.Class") from None
    # called with arguments of the file: a function could do anything
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise UserError(f"model.target={target}: no subclass of torch.nn.Module; name a network")
    return kind


def find_saved_class(path: Path, config: Mapping[str, Any], trust_target: bool) -> Any:
    """Return the class that a saved folder names; the folder may come from anywhere.

    Args:
        path: its `config.json`, for messages.
        config: what it holds.
        trust_target: the user allows the dotted path in it.

    Raises:
        UserError: a dotted path that is not allowed, or no network.
    """
    target = config.get("target")
    # the import alone runs code: nothing is looked up before the user allows it
    if target is not None and not trust_target:
        raise UserError(
            f"{path}: the model is {target}, whose code would run; if you trust it, load it with "
            "trust_target=true"
        )
    try:
        return find_class(config.get("name"), target)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_config(folder: Path) -> dict[str, Any]:
    """Return the name, target and arguments of a saved model.

    Raises:
        UserError: a folder that has no model, or a damaged one.
    """
    path = Path(folder) / CONFIG
    if not path.exists():
        raise UserError(f"no saved model in {folder} ({CONFIG} is missing)")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config["arguments"], dict):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise UserError(f"{path}: damaged or no saved model; restore it or save it again") from None
    return dict(config)


def read_facts(folder: Path) -> DataFacts:
    """Return the facts of the data that a saved model was trained on.

    Raises:
        UserError: a folder without them, or damaged ones.
    """
    path = Path(folder) / FACTS
    if not path.exists():
        raise UserError(f"{folder}: {FACTS} is missing; the model was not saved by bm")
    try:
        return DataFacts.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, AttributeError):
        raise UserError(f"{path}: damaged; restore it or save the model again") from None


def data_arguments(facts: DataFacts) -> dict[str, Any]:
    """Return the arguments that data decide, under the names that models use.

    Other libraries' names for the same facts are among them (`n_chans`, `sfreq`), so that their
    models plug in by `model.target`.
    """
    return {
        "channel_names": list(facts.vocabulary or facts.channels),
        "n_channels": facts.n_channels,
        "n_chans": facts.n_channels,  # braindecode's names from here on
        "n_times": facts.window_samples,
        "n_outputs": len(facts.classes) or len(facts.values) or 1,
        "n_classes": len(facts.classes),
        "n_subjects": len(facts.subjects),
        "rate_hz": facts.rate_hz,
        "sfreq": facts.rate_hz,
    }


def plain(value: object) -> Any:
    """Return groups and lists of a configuration as dict and list, ready for JSON."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(v) for v in value]
    return value


def build(model: Mapping[str, Any], facts: DataFacts) -> nn.Module:
    """Build the network that the `model` section names.

    Args:
        model: `name` or `target`, and keyword arguments of the class.
        facts: fills the arguments that data decide, unless the section has them.

    Raises:
        UserError: unknown model or argument.
    """
    kind = find_class(model.get("name"), model.get("target"))
    options = {k: plain(v) for k, v in model.items() if k not in RESERVED}
    check_arguments(f"model {kind.__name__}", kind, options)
    parameters = inspect.signature(kind).parameters
    arguments = {k: v for k, v in data_arguments(facts).items() if k in parameters} | options
    try:
        module: nn.Module = kind(**arguments)
    except (TypeError, ValueError, ZeroDivisionError, RuntimeError) as error:
        if not options or isinstance(error, torch.OutOfMemoryError):
            raise
        # arguments come from the user and their ranges are the network's own affair
        named = " ".join(f"model.{key}={value}" for key, value in options.items())
        raise UserError(
            f"{kind.__name__} cannot be built with {named}: {' '.join(str(error).split())}; change "
            "these, or the windows"
        ) from error
    module.bm_arguments = {  # type: ignore[assignment]
        "name": model.get("name"),
        "target": model.get("target"),
        "arguments": arguments,
    }
    return module


def save(module: nn.Module, folder: Path, facts: FactsRecord) -> None:
    """Write name, arguments, facts and weights of a model; the folder is whole or absent."""
    with replacing_folder(folder) as temporary:
        _write_parts(module, temporary, facts)


def _write_parts(module: nn.Module, temporary: Path, facts: FactsRecord) -> None:
    (temporary / CONFIG).write_text(json.dumps(module.bm_arguments, indent=1, default=list))
    (temporary / FACTS).write_text(json.dumps(facts.to_dict(), indent=1))
    # safetensors refuses tensors that are not contiguous, such as transposed weights
    tensors = {k: v.detach().cpu().contiguous() for k, v in module.state_dict().items()}
    write_tensors(tensors, temporary / WEIGHTS)


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors with a checksum of their bytes."""
    from safetensors.torch import save_file

    save_file(dict(tensors), path, metadata={CHECKSUM: checksum_of(tensors)})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read tensors of a safetensors file, and compare them with their checksum where it has one.

    Raises:
        UserError: damaged.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    remedy = "restore it, or save or train it again"
    try:
        with safe_open(path, "pt") as file:
            expected = (file.metadata() or {}).get(CHECKSUM)
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{path}: damaged ({reason}); {remedy}") from None
    if expected is not None and expected != checksum_of(tensors):
        raise UserError(f"{path}: damaged (its checksum does not fit); {remedy}")
    return tensors


def checksum_of(tensors: Mapping[str, Tensor]) -> str:
    """Return the CRC-32 of names and bytes of tensors, whatever order a file has them in."""
    crc = 0
    for name in sorted(tensors):
        # as bytes: numpy knows no bfloat16
        content = tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        crc = zlib.crc32(content, zlib.crc32(name.encode(), crc))  # type: ignore[arg-type]
    return f"{crc:08x}"


def load(folder: Path, trust_target: bool = False, **changes: Any) -> nn.Module:
    """Rebuild a saved model with its weights, in evaluation mode.

    Args:
        folder: in `save_pretrained` form.
        trust_target: load a class that the folder names by a dotted path; its code runs.
        changes: arguments other than the saved ones, e.g. the channels of other data.

    Raises:
        UserError: a folder that has no model, or one that names a class nobody allowed.
    """
    config = read_config(folder)
    kind = find_saved_class(Path(folder) / CONFIG, config, trust_target)
    # weights are read after the changes, strictly: a change that moves a shape is an error
    module: nn.Module = kind(**{**config["arguments"], **changes})
    module.bm_arguments = config  # type: ignore[assignment]
    load_weights(module, folder)
    return module.eval()


def load_weights(module: nn.Module, folder: Path) -> None:
    """Load the weights of a saved model: every tensor must match in name and shape."""
    module.load_state_dict(read_tensors(Path(folder) / WEIGHTS), strict=True)


@dataclass(frozen=True)
class LoadReport:
    """Names of the tensors of a load by what became of them."""

    source: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    wrong_shape: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """True when every tensor of the model and of the source has its counterpart."""
        return not (self.missing or self.unexpected or self.wrong_shape)

    def __str__(self) -> str:
        parts = [f"{self.source}: {len(self.matched)} tensors loaded"]
        outcomes = {
            "missing": self.missing,
            "unexpected": self.unexpected,
            "wrong shape": self.wrong_shape,
        }
        for outcome, names in outcomes.items():
            if names:
                some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
                parts.append(f"{len(names)} {outcome} ({some})")
        return "; ".join(parts)


def init_weights(
    module: nn.Module, folder: Path, partial: bool = False, subjects: Sequence[str] | None = None
) -> LoadReport:
    """Start a model from the weights of a saved one, which may be another model.

    Args:
        module: changed in place.
        folder: in `save_pretrained` form.
        partial: load what fits in name and shape, instead of raising.
        subjects: names by index. Weights of a person then go to the same person, whose index
            depends on who else is in the data; None = by index.

    Raises:
        UserError: no weights in the folder, nothing fits, or not everything fits and not `partial`.
    """
    path = Path(folder) / WEIGHTS
    if not path.exists():
        raise UserError(f"no weights in {folder} ({WEIGHTS} is missing)")
    tensors = read_tensors(path)
    if subjects is not None and (Path(folder) / FACTS).exists():
        trained = read_facts(folder).subjects
        tensors = to_subjects(module, tensors, trained, subjects, partial)
    report = fit(module, tensors, str(folder))
    _tell_learned(module, folder, report)
    if not report.matched or not (partial or acceptable(module, report)):
        raise UserError(
            f"init_from: {report}; set init_partial=true to leave out what does not fit"
        )
    return report


def _tell_learned(module: nn.Module, folder: Path, report: LoadReport) -> None:
    """Tell rows of electrodes which of them the weights were trained with, if the file does not."""
    rows = [(n, part) for n, part in module.named_modules() if isinstance(part, ElectrodeRows)]
    if not rows or not (Path(folder) / FACTS).exists():
        return
    facts = DataFacts.from_dict(json.loads((Path(folder) / FACTS).read_text()))
    for name, part in rows:
        if f"{name}.learned" in report.missing:
            part.learned_from(facts.vocabulary or facts.channels)


def to_subjects(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    trained: Sequence[str],
    subjects: Sequence[str],
    partial: bool,
) -> dict[str, Tensor]:
    """Bring tensors with a row per subject into the order of other subjects.

    Args:
        module: its `SubjectRows` layers name these tensors.
        tensors: by name.
        trained: subject of each row of `tensors`.
        subjects: of each row of the result.
        partial: rows of subjects that were not trained stay as the module has them.

    Raises:
        UserError: a subject that was not trained, and not `partial`.
    """
    parts = module.named_modules()
    names = [".".join(filter(None, (n, row))) for n, p in parts for row in by_subject(p)]
    moved, current = dict(tensors), module.state_dict()
    rows = {name: row for row, name in enumerate(trained)}
    for name in names:
        # the count of rows is the only sign that a tensor was learned with these people
        if name not in tensors or len(tensors[name]) != len(trained):
            continue  # of another kind: `fit` reports it
        if current[name].shape[1:] != tensors[name].shape[1:]:
            continue
        strangers = [subject for subject in subjects if subject not in rows]
        if strangers and not partial:
            raise UserError(stranger_text(strangers))
        moved[name] = current[name].clone()
        for row, subject in enumerate(subjects):
            if subject in rows:
                moved[name][row] = tensors[name][rows[subject]]
    return to_subject_modules(module, moved, trained, subjects, partial)


def to_subject_modules(
    module: nn.Module,
    state: Mapping[str, Tensor],
    before: Sequence[str],
    subjects: Sequence[str],
    partial: bool,
) -> dict[str, Tensor]:
    """Return tensors of networks per subject (`PerSubject`), renumbered for other subjects.

    Arguments and errors as in `to_subjects`, `before` being the subjects of `state`.
    """
    result, numbers = dict(state), {name: number for number, name in enumerate(before)}
    prefixes = [f"{name}." for name, part in module.named_modules() if isinstance(part, PerSubject)]
    for prefix in prefixes:
        theirs = {name: tensor for name, tensor in state.items() if name.startswith(prefix)}
        strangers = [subject for subject in subjects if subject not in numbers]
        if theirs and strangers and not partial:
            raise UserError(stranger_text(strangers))
        for name in theirs:
            del result[name]
        for number, subject in enumerate(subjects):
            there = f"{prefix}{numbers.get(subject, 'none')}."
            for name, tensor in theirs.items():
                if name.startswith(there):
                    result[f"{prefix}{number}.{name[len(there) :]}"] = tensor
    return result


def stranger_text(strangers: Sequence[str]) -> str:
    """Say that weights know nothing of some subjects."""
    return (
        f"init_from: nothing was learned of {len(strangers)} subjects ({strangers[0]}, "
        "...); set init_partial=true to let them start anew"
    )


def load_for_subjects(
    folder: Path, subjects: Sequence[str], trust_target: bool = False, **changes: Any
) -> nn.Module:
    """Rebuild a saved model for data with other subjects, or the same ones in another order.

    Args:
        folder: in `save_pretrained` form.
        subjects: names by index; what was learned of a person goes to the same person.
        trust_target: see `load`.
        changes: arguments other than the saved ones.

    Raises:
        UserError: a folder without a model, or a subject that the model does not know.
    """
    module = load(folder, trust_target, **changes)
    saved: Any = module.bm_arguments
    before = read_facts(folder).subjects
    if "n_subjects" not in saved["arguments"] or tuple(before) == tuple(subjects):
        return module
    arguments = {**saved["arguments"], **changes, "n_subjects": len(subjects)}
    other: nn.Module = type(module)(**arguments)
    other.bm_arguments = saved
    state = to_subjects(other, module.state_dict(), before, subjects, partial=False)
    other.load_state_dict(state, strict=True)
    return other


def by_subject(layer: nn.Module) -> tuple[str, ...]:
    """Return the names of a layer's tensors with a row per subject."""
    return layer.by_subject if isinstance(layer, SubjectRows) else ()


def fit(module: nn.Module, tensors: Mapping[str, Tensor], source: str) -> LoadReport:
    """Load the tensors that fit in name and shape; return what became of all.

    A `Loadable` model sees them first: they may be under the names of another model.

    Args:
        module: changed in place.
        tensors: by name.
        source: where they come from, for messages.
    """
    if isinstance(module, Loadable):
        tensors = module.adapt_weights(dict(tensors))
    current = module.state_dict()
    fitting = {n: t for n, t in tensors.items() if n in current and current[n].shape == t.shape}
    # `strict=False` alone would still raise at a tensor of another shape
    module.load_state_dict(fitting, strict=False)
    return LoadReport(
        source=source,
        matched=tuple(fitting),
        missing=tuple(n for n in current if n not in tensors),
        unexpected=tuple(n for n in tensors if n not in current),
        wrong_shape=tuple(n for n in current if n in tensors and n not in fitting),
    )


def acceptable(module: nn.Module, report: LoadReport) -> bool:
    """Return true when nothing is left over but what a `Loadable` model says may be."""
    if not isinstance(module, Loadable):
        return report.complete
    return (
        not report.wrong_shape
        and all(name.startswith(module.may_be_missing) for name in report.missing)
        and all(name.startswith(module.may_be_unexpected) for name in report.unexpected)
    )
