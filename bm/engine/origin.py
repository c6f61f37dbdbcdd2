"""Whether weights of another experiment belong to the data that they are now given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..facts import DataFacts
from ..models.contract import Microvolts
from ..models.saved import CONFIG, FACTS


def check_origin(key: str, folder: Path, facts: DataFacts, model: Any) -> list[str]:
    """Compare the data that a saved model was trained on with those of this experiment.

    Args:
        key: that names the model, e.g. init_from, for messages.
        folder: in `save_pretrained` form; one that does not say what its data were is trusted.
        facts: of the data now.
        model: the network that takes the weights.

    Returns:
        a line for each difference of preprocessing or of the unit; features may not carry over.

    Raises:
        UserError: the model was trained at another sampling rate.
    """
    path = Path(folder) / FACTS
    if not path.exists():
        return []
    then = DataFacts.from_dict(json.loads(path.read_text()))
    if then.rate_hz != facts.rate_hz:
        raise UserError(
            f"{key}: the model in {folder} was trained at {then.rate_hz:g} Hz, these data have "
            f"{facts.rate_hz:g} Hz; set dset.rate_hz={then.rate_hz:g}"
        )
    lines = []
    if None not in (then.preprocess, facts.preprocess) and then.preprocess != facts.preprocess:
        lines.append(
            f"{key}: trained on data preprocessed otherwise: {steps_in_words(then.preprocess)}; "
            f"here: {steps_in_words(facts.preprocess)}"
        )
    unit = _unit(Path(folder))
    own = model.amplitude_uv if isinstance(model, Microvolts) else None
    if None not in (unit, own) and unit != own:
        lines.append(f"{key}: trained with {unit:g} uV as unit; here model.amplitude_uv={own:g}")
    return lines


def _unit(folder: Path) -> float | None:
    """Microvolts that the saved model takes as 1; None when it does not say."""
    path = folder / CONFIG
    arguments = json.loads(path.read_text()).get("arguments", {}) if path.exists() else {}
    found = arguments.get("amplitude_uv")
    return None if found is None else float(found)


def steps_in_words(steps: Sequence[Mapping[str, Any]] | None) -> str:
    """Preprocessing on one line, e.g. `bandpass low_hz=0.1 high_hz=75.0, notch freqs_hz=[50.0]`."""
    words = [
        " ".join([str(step["step"]), *(f"{k}={v}" for k, v in step.items() if k != "step")])
        for step in steps or ()
    ]
    return ", ".join(words) or "nothing"
