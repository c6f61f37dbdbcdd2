"""`python -m scripts.generate sig=ab12cd34|model=FOLDER n=16 [classes=[left_hand]] [seed=0] ...`.

Generates waves with a trained diffusion model: the best weights of an experiment (sig), or a
saved model (model). Writes `generated-epo.fif` (epochs of MNE-Python) and `generated.h5` to
out=FOLDER (outputs/generated/<sig> by default) and prints their paths.

  classes=[left_hand,1]  names or numbers, taken in turn; all in turn when left out; -1 = unknown
  subjects=[S001]        likewise
  seed=0                 other waves for every seed
  texts=[...]            sentences, taken in turn, for a model conditioned on text; or a text file
  sampler=ddim           ddpm, ddim or dpm; of straight paths euler, heun or midpoint
  steps=50               network evaluations per wave
  eta=0.0                noise of ddim: 0 none, 1 as ddpm
  guidance=1.0           above 1: more like the class than the training data
  batch_size=64          waves at a time
  device=auto            cpu, cuda
  trust_target=true      the saved model may name a class by a dotted path: its code runs

  python -m scripts.generate sig=ab12cd34 n=16
  python -m scripts.generate sig=ab12cd34 n=8 classes=[left_hand] sampler=ddim steps=50
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bm.errors import UserError

from ._arguments import device_of, main_of

SAMPLING = ("sampler", "steps", "eta", "guidance", "batch_size")


@dataclass(frozen=True)
class Request:
    """The arguments of the command."""

    sig: str | None = None
    model: str | None = None
    n: int = 16
    classes: str | Sequence[str] | None = None
    subjects: str | Sequence[str] | None = None
    texts: str | Sequence[str] | None = None
    seed: int = 0
    sampler: str | None = None
    steps: int = 50
    eta: float = 0.0
    guidance: float = 1.0
    batch_size: int = 64
    device: str = "auto"
    out: str | None = None
    trust_target: bool = False


class Progress:
    """Lines of progress with the speed, at most one every few seconds.

    Args:
        total: waves.
        every_s: seconds between lines.
        clock: seconds.
    """

    def __init__(
        self, total: int, every_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total, self.every_s, self.clock = total, every_s, clock
        self.done = 0.0
        self.begun = self.printed_at = clock()

    def __call__(self, waves: float) -> None:
        """Count `waves` more; part of a wave counts."""
        self.done += waves
        now = self.clock()
        # Sums of parts of waves miss the total by rounding.
        finished = self.done > self.total - 1e-6
        if finished or now - self.printed_at >= self.every_s:
            self.printed_at = now
            speed = self.done / max(now - self.begun, 1e-9)
            print(
                f"generated {self.done:.3g} of {self.total} waves, {speed:.2f} waves/s", flush=True
            )


def command(request: Request) -> int:
    """Generate and write what the request describes."""
    from bm.train import main

    outputs = Path(main.dora.dir)
    folder, name = _model_folder(request, outputs / main.dora.xps)
    out = outputs / "generated" / name if request.out is None else Path(request.out).expanduser()

    # After the arguments are checked: diffusers takes seconds, a mistake should take none.
    from bm.models.eegdiff.pipeline import EEGDiffusionPipeline
    from bm.solvers.wave_files import write_waves

    pipeline = EEGDiffusionPipeline.from_pretrained(
        folder, device_of(request.device), request.trust_target
    )
    _make(out)  # before the long work
    settings: dict[str, Any] = {key: getattr(request, key) for key in SAMPLING}
    if request.sampler is None:
        settings["sampler"] = "ddim" if pipeline.model.noise_is_chain else "heun"
    text = _text(request.texts, pipeline.facts.others)
    conditions = {"classes": request.classes, "subjects": request.subjects}
    tick = Progress(request.n)
    waves = pipeline.generate(
        request.n, request.seed, **conditions, tick=tick, text=text, **settings
    )
    files = write_waves(out, waves, pipeline.facts, request.sig)
    print(f"written: {files.fif}\nwritten: {files.hdf5}")
    return 0


def _text(texts: str | Sequence[str] | None, others: Mapping[str, Any]) -> Any:
    """Return states and masks of the sentences of the request, by the encoder of the training."""
    from bm.solvers.text_condition import encode_prompts

    if texts is None:
        return None
    if "text" not in others:
        raise UserError("texts: the model does not say which encoder read its training sentences")
    lines = [texts] if isinstance(texts, str) else list(texts)
    if len(lines) == 1 and lines[0].endswith(".txt"):
        try:
            lines = [one for one in Path(lines[0]).read_text().splitlines() if one.strip()]
        except OSError as error:
            raise UserError(f"texts={lines[0]}: {error.strerror}") from None
    return encode_prompts(lines, others["text"], Path(os.environ.get("BM_MODELS", "models")))


def _model_folder(request: Request, experiments: Path) -> tuple[Path, str]:
    """Return the folder of the saved model, and a name for the folder of its waves."""
    from bm.xp.address import check_signature, resolve

    if (request.sig is None) == (request.model is None):
        raise UserError("which model? use sig=ab12cd34 or model=FOLDER")
    if request.sig is not None:
        return resolve(f"//sig/{check_signature(request.sig)}", experiments), request.sig
    folder = Path(str(request.model)).expanduser()
    return folder, folder.resolve().name


def _make(folder: Path) -> None:
    """Make the folder of the output.

    Raises:
        UserError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"out={folder}: {error.strerror}; give a folder to write to") from None


def generate(**values: Any) -> int:
    """Run `command` with the fields of `Request` as keyword arguments."""
    return command(Request(**values))


if __name__ == "__main__":
    sys.exit(main_of(generate, record=Request))
