"""`python -m scripts.cut_clips out=FOLDER study=NAME|dset=NAME [path=FOLDER] [dset.KEY=VALUE ...]`.

Cuts continuous recordings into the clips that Du-IN is pre-trained on: 8 s every 4 s, one `.npy` of
float32 (1, channels, samples) each, below OUT/<person>/pretrain/dataset.default.<rate>hz/<name>
with `info.json`. `study: duin` reads them with `part: clips` and `path: OUT`, whatever study they
were cut from. Recordings are preprocessed by the keys of the data set; those of any format will do
(study=folder path=/data/mine). Clips touch no stretch that is marked bad and no join.

  window_s=8 step_s=4   length of a clip and from one to the next, in seconds
  strict=true           stop at the first bad recording

A person's folder is written whole or not at all, and never over one that is there.

  python -m scripts.cut_clips out=clips study=folder path=/data/mine
  python -m scripts.cut_clips out=clips dset=simulated_seeg window_s=4 step_s=2
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bm.errors import RecordingError, UserError

from ._arguments import main_of

if TYPE_CHECKING:
    from bm.data.recording import Recording
    from bm.data.signal import Signal


@dataclass(frozen=True)
class Request:
    """The arguments of the command."""

    out: str | None = None
    study: str | None = None
    path: str | None = None
    dset: str | None = None
    # Du-IN crops 4 s at random of a clip: with 8 s every 4 s the crop can begin anywhere
    window_s: float = 8.0
    step_s: float = 4.0
    strict: bool = False


def command(request: Request, words: Sequence[str] = ()) -> int:
    """Cut the clips of everybody; exit code 1 when a recording was skipped."""
    from bm.data.store import Store, recipe_of
    from bm.solvers.build_data import absolute_paths
    from bm.studies import recordings_of
    from bm.train import main
    from bm.xp.resolve import to_plain

    if request.out is None:
        raise UserError("where to? use out=FOLDER")
    if (request.study is None) == (request.dset is None):
        raise UserError("which recordings? use study=NAME (path=FOLDER) or dset=NAME")
    window_s, step_s, out = request.window_s, request.step_s, Path(request.out).expanduser()
    if not 0 < step_s <= window_s < 1e6:
        raise UserError(f"window_s={window_s:g} step_s={step_s:g}: the step is at most the window")
    entry = f"dset.studies=[{_entry(request)}]"
    # dset=folder lends its preprocessing; its list of studies is replaced by the one named
    overrides = [f"dset={request.dset}"] if request.dset else ["dset=folder", entry]
    config = main.resolve([*overrides, *words]).cfg
    section, paths = to_plain(config.dset), absolute_paths(config.paths)
    recordings, _ = recordings_of(section["studies"], paths)
    store, recipe = Store(paths["cache"]), recipe_of(section)
    people: dict[str, list[Recording]] = {}
    for recording in recordings:
        people.setdefault(recording.id.subject, []).append(recording)
    _check_targets(out, people)
    skipped = 0
    for person, members in people.items():
        signals: list[tuple[str, Signal]] = []
        for recording in members:
            try:
                name = f"{recording.id.session}-{recording.id.run}"
                signals.append((name, store.get(recording, recipe)))
            except RecordingError as error:
                if request.strict:
                    raise
                print(f"skipped {error}")
                skipped += 1
        count, folder = write_person(out / person, signals, window_s, step_s)
        print(f"{person}: {count} clips of {len(signals)} recordings in {folder}")
    return 1 if skipped else 0


def _entry(request: Request) -> str:
    path = request.path
    place = "" if path is None else f", path: '{Path(path).expanduser().absolute()}'"
    return f"{{study: {request.study}{place}}}"


def _check_targets(out: Path, people: Any) -> None:
    """Raise `UserError` when somebody has clips there already, before anything is read."""
    for person in people:
        target = out / person / "pretrain"
        if target.exists():
            raise UserError(f"{target} is there already; remove it, or choose another out=")


def write_person(
    folder: Path, signals: Sequence[tuple[str, Signal]], window_s: float, step_s: float
) -> tuple[int, Path]:
    """Write the clips of one person's recordings; return their number and folder.

    Raises:
        UserError: recordings of other rates or channels than the first, or no clip at all.
    """
    import numpy as np

    from bm.writing import replacing_folder

    if not signals:
        raise UserError(f"{folder.name}: no recording could be read")
    # one info.json describes all clips of a person: one rate, one list of channels
    first_name, first = signals[0]
    for name, signal in signals:
        if signal.rate_hz != first.rate_hz:
            raise UserError(
                f"{folder.name}: mixed rates: {first_name} has {first.rate_hz:g} Hz, {name} "
                f"{signal.rate_hz:g} Hz; set dset.rate_hz"
            )
        if signal.channels != first.channels:
            raise UserError(
                f"{folder.name}: {first_name} and {name} have other channels (mixed references or "
                "implants); pick the shared ones by dset.preprocess=[{step: pick, channels: [...]}]"
            )
    target = folder / "pretrain" / f"dataset.default.{round(first.rate_hz)}hz"
    count = 0
    folder.mkdir(parents=True, exist_ok=True)
    with replacing_folder(folder / "pretrain") as aside:
        place = aside / target.name
        place.mkdir(parents=True)
        info = {"ch_names": list(first.channels), "sfreq": first.rate_hz}
        (place / "info.json").write_text(json.dumps(info, ensure_ascii=False), "utf-8")
        for name, signal in signals:
            (place / name).mkdir()
            for number, start in enumerate(starts_of(signal, window_s, step_s)):
                # published clips hold two arrays, (2, C, T), but pre-training reads the first alone
                clip = signal.rows(start, round(window_s * signal.rate_hz)).numpy().T[None]
                np.save(place / name / f"{number:06d}.npy", np.ascontiguousarray(clip))
                count += 1
        # inside the block: a person without a clip leaves no folder behind
        if not count:
            raise UserError(
                f"{folder.name}: the longest recording has "
                f"{max(s.samples / s.rate_hz for _, s in signals):g} s, no clip of {window_s:g} s"
            )
    return count, target


def starts_of(signal: Signal, window_s: float, step_s: float) -> list[int]:
    """Return the first samples of the clips of a recording, which touch nothing marked bad."""
    import numpy as np

    from bm.data.stretches import touched

    length, step = round(window_s * signal.rate_hz), round(step_s * signal.rate_hz)
    starts = np.arange(0, signal.samples - length + 1, step)
    return starts[~touched(starts, length, signal.stretches, signal.rate_hz)].tolist()


def cutting(words: Sequence[str] = (), **values: Any) -> int:
    """Run `command` with the fields of `Request` as keyword arguments."""
    return command(Request(**values), words)


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    changes = [word for word in argv if word.startswith(("dset.", "paths."))]
    return [word for word in argv if word not in changes], changes


if __name__ == "__main__":
    mine, others = _split(sys.argv[1:])
    sys.exit(main_of(cutting, mine, Request, words=others))
