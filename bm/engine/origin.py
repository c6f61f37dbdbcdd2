"""Origin of weights: do the data they were trained on match those of this experiment?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import UserError
from ..facts import DataFacts
from ..models.contract import Microvolts
from ..models.saved import CONFIG, FACTS, read_config, read_facts


def check_origin(key: str, folder: Path, facts: DataFacts, model: nn.Module) -> list[str]:
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
    if not (Path(folder) / FACTS).exists():
        return []
    then = read_facts(folder)
    # patches and kernels are counted in samples: another rate is another model
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
    then_uv = _unit(Path(folder))
    now_uv = model.amplitude_uv if isinstance(model, Microvolts) else None
    if None not in (then_uv, now_uv) and then_uv != now_uv:
        lines.append(
            f"{key}: trained with {then_uv:g} uV as unit; here model.amplitude_uv={now_uv:g}"
        )
    return lines


def _unit(folder: Path) -> float | None:
    """Return the microvolts that the saved model takes as 1; None when it does not say."""
    if not (folder / CONFIG).exists():
        return None
    amplitude_uv = read_config(folder)["arguments"].get("amplitude_uv")
    return None if amplitude_uv is None else float(amplitude_uv)


def steps_in_words(steps: Sequence[Mapping[str, Any]] | None) -> str:
    """Return preprocessing on one line, e.g. `bandpass low_hz=0.1 high_hz=75.0, resample`."""
    words = [
        " ".join([str(step["step"]), *(f"{k}={v}" for k, v in step.items() if k != "step")])
        for step in steps or ()
    ]
    return ", ".join(words) or "nothing"
