"""An experiment's best model as a folder for others: weights, facts, card, evaluation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from .. import __version__
from ..data.seen import NAME as SEEN
from ..errors import UserError
from ..models.saved import CONFIG, FACTS, WEIGHTS, read_config, read_facts
from ..predict.card import Card, write_card
from ..writing import replacing_folder
from ..xp.address import BEST
from ..xp.files import read_json, read_or_warn
from ..xp.guard import guard_of
from .experiments import Experiment

#: What is copied of the folder of best weights, where it is there.
FILES = (CONFIG, FACTS, WEIGHTS, SEEN)
OWN = (*FILES, "README.md", "evaluation.json")


def export(experiment: Experiment, out: Path, licence: str = "other") -> Path:
    """Write the best model of a finished experiment into `out`, whole or not at all.

    The folder is in `save_pretrained` form and can be given to `bm.Predictor.from_pretrained`,
    `init_from=//file/...` and `huggingface_hub.upload_folder`.

    Args:
        experiment: read from its folder.
        out: new, empty, or written by an earlier export.
        licence: of the weights, as the hub names licences.

    Raises:
        UserError: not finished, no saved model, or a folder of something else.
    """
    best = experiment.folder / BEST
    if experiment.state != "done":
        raise UserError(
            f"{experiment.sig} has not finished ({experiment.state}); run it to the end"
        )
    if not best.exists():
        raise UserError(f"{experiment.sig} saved no model: a {experiment.solver} has none")
    strangers = sorted(p.name for p in out.glob("*") if p.name not in OWN) if out.exists() else []
    if strangers:
        raise UserError(f"out={out}: holds {strangers[0]}, which no export wrote; use a new folder")
    evaluation = read_json(experiment.folder / "evaluation.json") or {}
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing_folder(out) as aside:
        for name in FILES:
            if (best / name).exists():
                shutil.copyfile(best / name, aside / name)
        facts = read_facts(best)
        card = _card_of(experiment, best, evaluation, licence)
        (aside / "README.md").write_text(write_card(card, facts), encoding="utf-8")
        (aside / "evaluation.json").write_text(json.dumps(evaluation, indent=1), encoding="utf-8")
    return out


def _card_of(experiment: Experiment, best: Path, evaluation: dict[str, Any], licence: str) -> Card:
    guard = guard_of(experiment.folder)
    recordings = read_or_warn(best / SEEN) or {}
    config = read_config(best)
    origin = {"experiment": experiment.sig, "bm": __version__}
    for name in ("commit", "data_hash"):
        if guard.get(name):
            origin[name] = str(guard[name])
    return Card(
        name=str(config.get("name") or config.get("target")),
        dataset=experiment.dataset,
        recordings=len(recordings.get("recordings", ())),
        evaluation=evaluation,
        marks=experiment.marks,
        origin=origin,
        licence=licence,
    )
