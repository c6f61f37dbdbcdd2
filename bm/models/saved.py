"""Building a model from its name and data facts, and its folder in `save_pretrained` form."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..errors import UserError
from ..registry import check_arguments
from . import MODELS
from .contract import Loadable, SubjectRows

RESERVED = ("name", "target")
CONFIG, FACTS, WEIGHTS = "config.json", "facts.json", "model.safetensors"


def find_class(name: str | None, target: str | None) -> Any:
    """The class of a registered name, or of a dotted path."""
    if target is None:
        return MODELS.get(str(name))
    module, _, attribute = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"model.target={target}: {error}; use package.module.Class") from None


def known_from_facts(facts: Any) -> dict[str, Any]:
    """Arguments that data decide, under the names that models use.

    Other libraries' names for the same facts are given too (`n_chans`, `sfreq`), so that their
    models plug in by `model.target`.
    """
    outputs = len(facts.classes) or len(getattr(facts, "values", ())) or 1
    return {
        "channel_names": list(getattr(facts, "vocabulary", ()) or facts.channels),
        "n_channels": facts.n_channels,
        "n_chans": facts.n_channels,
        "n_times": facts.window_samples,
        "n_outputs": outputs,
        "n_classes": len(facts.classes),
        "n_subjects": len(facts.subjects),
        "rate_hz": facts.rate_hz,
        "sfreq": facts.rate_hz,
    }


def plain(value: Any) -> Any:
    """Groups and lists of a configuration as dict and list, so that arguments can be saved."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(v) for v in value]
    return value


def build(model: Mapping[str, Any], facts: Any) -> nn.Module:
    """Build the network that the `model` section names.

    Args:
        model: `name` or `target`, and keyword arguments of the class.
        facts: fills the arguments that data decide, unless they are given.

    Raises:
        UserError: unknown model or argument.
    """
    kind = find_class(model.get("name"), model.get("target"))
    parameters = inspect.signature(kind).parameters
    given = {k: plain(v) for k, v in model.items() if k not in RESERVED}
    check_arguments(f"model {kind.__name__}", kind, given)
    known = {k: v for k, v in known_from_facts(facts).items() if k in parameters}
    arguments = {**known, **given}
    module: nn.Module = kind(**arguments)
    module.bm_arguments = {  # type: ignore[assignment]
        "name": model.get("name"),
        "target": model.get("target"),
        "arguments": arguments,
    }
    return module


def save(module: nn.Module, folder: Path, facts: Any) -> None:
    """Write name, arguments, facts and weights; the folder is whole or absent."""
    from safetensors.torch import save_file

    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    (temporary / CONFIG).write_text(json.dumps(module.bm_arguments, indent=1, default=list))
    (temporary / FACTS).write_text(json.dumps(facts.to_dict(), indent=1))
    tensors = {k: v.detach().cpu().contiguous() for k, v in module.state_dict().items()}
    save_file(tensors, temporary / WEIGHTS)
    replace_folder(temporary, folder)


def replace_folder(temporary: Path, folder: Path) -> None:
    """Put a complete folder in the place of another beside it, which may be absent."""
    aside = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():  # a folder cannot be renamed over another: the old one stays until the end
        os.replace(folder, aside)
    os.replace(temporary, folder)
    shutil.rmtree(aside, ignore_errors=True)


def load(folder: Path, **changes: Any) -> nn.Module:
    """Rebuild a saved model with its weights.

    Args:
        folder: in `save_pretrained` form.
        changes: arguments other than the saved ones, e.g. the channels of other data.

    Raises:
        UserError: a folder that has no model.
    """
    path = Path(folder) / CONFIG
    if not path.exists():
        raise UserError(f"no saved model in {folder} ({CONFIG} is missing)")
    saved = json.loads(path.read_text())
    module: nn.Module = find_class(saved["name"], saved["target"])(
        **{**saved["arguments"], **changes}
    )
    module.bm_arguments = saved
    load_weights(module, folder)
    return module


def load_weights(module: nn.Module, folder: Path) -> None:
    """Load the weights of a saved model: every tensor must match in name and shape."""
    from safetensors.torch import load_file

    module.load_state_dict(load_file(Path(folder) / WEIGHTS), strict=True)


@dataclass(frozen=True)
class LoadReport:
    """What a set of saved tensors gave to a model: names by outcome."""

    source: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    wrong_shape: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """True when every tensor of both sides found its other."""
        return not (self.missing or self.unexpected or self.wrong_shape)

    def __str__(self) -> str:
        parts = [f"{self.source}: {len(self.matched)} tensors loaded"]
        for name in ("missing", "unexpected", "wrong_shape"):
            names = getattr(self, name)
            if names:
                some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
                parts.append(f"{len(names)} {name.replace('_', ' ')} ({some})")
        return "; ".join(parts)


def init_weights(
    module: nn.Module, folder: Path, partial: bool = False, subjects: Sequence[str] | None = None
) -> LoadReport:
    """Start a model from the weights of a saved one, which may be another model.

    Args:
        module: changed in place.
        folder: in `save_pretrained` form.
        partial: load what fits in name and shape, instead of raising.
        subjects: names by index; what was learned of a person then goes to the same person, whose
            index depends on who else is in the data. None = by index.

    Raises:
        UserError: no weights in the folder, nothing fits, or not everything fits and not `partial`.
    """
    from safetensors.torch import load_file

    path = Path(folder) / WEIGHTS
    if not path.exists():
        raise UserError(f"no weights in {folder} ({WEIGHTS} is missing)")
    given = load_file(path)
    if subjects is not None and (Path(folder) / FACTS).exists():
        known = json.loads((Path(folder) / FACTS).read_text()).get("subjects", [])
        given = to_subjects(module, given, known, subjects, partial)
    report = fit(module, given, str(folder))
    if not report.matched or not (partial or acceptable(module, report)):
        raise UserError(
            f"init_from: {report}; set init_partial=true to leave out what does not fit"
        )
    return report


def to_subjects(
    module: nn.Module,
    given: Mapping[str, Tensor],
    known: Sequence[str],
    subjects: Sequence[str],
    partial: bool,
) -> dict[str, Tensor]:
    """Tensors with a row per subject, their rows in the order of other subjects.

    Args:
        module: its parts tell by `by_subject` which tensors these are.
        given: tensors by name.
        known: subject of each row of `given`.
        subjects: of each row of the result.
        partial: rows of subjects that are not known stay as the module has them.

    Raises:
        UserError: a subject that is not known, and not `partial`.
    """
    parts = module.named_modules()
    names = [".".join(filter(None, (n, own))) for n, p in parts for own in by_subject(p)]
    found, own = dict(given), module.state_dict()
    rows = {name: row for row, name in enumerate(known)}
    for name in names:
        if name not in given or len(given[name]) != len(known):
            continue  # of another kind: `fit` tells
        if own[name].shape[1:] != given[name].shape[1:]:
            continue
        strangers = [subject for subject in subjects if subject not in rows]
        if strangers and not partial:
            raise UserError(
                f"init_from: nothing was learned of {len(strangers)} subjects ({strangers[0]}, "
                "...); set init_partial=true to let them start anew"
            )
        found[name] = own[name].clone()
        for row, subject in enumerate(subjects):
            if subject in rows:
                found[name][row] = given[name][rows[subject]]
    return found


def by_subject(part: nn.Module) -> tuple[str, ...]:
    """Names of a layer's tensors with a row per subject."""
    return part.by_subject if isinstance(part, SubjectRows) else ()


def fit(module: nn.Module, given: Mapping[str, Tensor], source: str) -> LoadReport:
    """Load the tensors that fit in name and shape, and say what became of all.

    A `Loadable` model sees them first: they may be under the names of another model.

    Args:
        module: changed in place.
        given: tensors by name.
        source: where they come from, for messages.
    """
    if isinstance(module, Loadable):
        given = module.adapt_weights(dict(given))
    own = module.state_dict()
    fitting = {n: t for n, t in given.items() if n in own and own[n].shape == t.shape}
    module.load_state_dict(fitting, strict=False)
    return LoadReport(
        source=source,
        matched=tuple(fitting),
        missing=tuple(n for n in own if n not in given),
        unexpected=tuple(n for n in given if n not in own),
        wrong_shape=tuple(n for n in own if n in given and n not in fitting),
    )


def acceptable(module: nn.Module, report: LoadReport) -> bool:
    """True when nothing is left over but what a `Loadable` model says may be."""
    if not isinstance(module, Loadable):
        return report.complete
    return (
        not report.wrong_shape
        and all(name.startswith(module.may_be_missing) for name in report.missing)
        and all(name.startswith(module.may_be_unexpected) for name in report.unexpected)
    )
