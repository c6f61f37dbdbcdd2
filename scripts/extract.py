"""`python -m scripts.extract sig=ab12cd34|model=FOLDER out=tokens.h5 [study=folder path=FOLDER]`.

Features of recordings from a frozen model of LaBraM or Du-IN: tokens (windows, C, A, D) of a
fine-tuned or a masked model, codes (windows, C, A) of a tokenizer; Du-IN has one token for all
channels together (C = 1), and is given them in the order of its training and scaled. The model is
the best of an experiment (sig) or a saved one (model), such as scripts.import_checkpoint writes.
Recordings are preprocessed as the training data were and streamed; `out` is one HDF5 file with a
group per recording (described in bm/eval/tokens/file.py), written aside and renamed at the end.

Which windows:
  nothing                   those of the experiment, with their labels and splits
  dset=NAME                 those of another data set, likewise
  study=NAME [path=FOLDER]  whole recordings of a study (folder: your files), window after window
  split=test                only windows of this split; all when left out
  window_s=4                with study: seconds; left out: as many as 256 tokens allow, at most 16
  dset.KEY=VALUE            changes keys of the data set, e.g. dset.segment.stride_s=2

What is taken:
  layer=6          tokens after so many blocks, as they are; left out: after the last norm
  pool=mean        one vector (D) per window instead of (C, A, D)
  batch_size=64    windows at a time; does not change a result
  drop_unknown=true  leave out channels that the model does not know, instead of stopping
  strict=true      stop at the first bad recording
  device=auto      cpu, cuda
  trust_target=true  the saved model may name a class by a dotted path: its code runs

  python -m scripts.extract sig=ab12cd34 split=test out=tokens.h5
  python -m scripts.extract model=models/labram study=folder path=/data/mine out=tokens.h5
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bm.errors import UserError
from bm.registry import check_known

from ._arguments import device_of, main_of

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from bm.eval.tokens.extract import Part, Recordings, TokenModel

EVERY_S = 5.0  # seconds between lines of progress
RAW = {"kind": "none", "clamp": None}  # models divide microvolts, or are given scaled windows later


@dataclass(frozen=True)
class Request:
    """The arguments of the command."""

    sig: str | None = None
    model: str | None = None
    out: str | None = None
    study: str | None = None
    path: str | None = None
    dset: str | None = None
    split: str | None = None
    window_s: float = 0.0
    layer: int = -1
    pool: str = "none"
    batch_size: int = 64
    drop_unknown: bool = False
    strict: bool = False
    device: str = "auto"
    trust_target: bool = False


def command(request: Request, words: Sequence[str] = ()) -> int:
    """Extract what the request describes; exit code 1 when a recording was skipped."""
    from bm.eval.tokens.extract import Options, TokenModel, extract, in_words
    from bm.eval.tokens.file import check_writable

    if request.out is None:
        raise UserError("where to? use out=tokens.h5")
    if request.study is not None and request.dset is not None:
        raise UserError("which recordings? use study=NAME or dset=NAME, not both")
    out = Path(request.out).expanduser()
    check_writable(out)  # before the long work
    folder, config = _model(request)
    options = Options(
        None if request.layer == -1 else request.layer,
        request.pool,
        request.batch_size,
        request.drop_unknown,
        device_of(request.device),
        request.trust_target,
    )
    model = TokenModel(folder, options)
    dset = _dset(request, model, config, _overrides(words))
    source, about = _source(request, dset, config, model)
    attributes = {
        "signature": request.sig or "",
        "preprocess": json.dumps(dset["preprocess"]),
        **about,
    }
    with _bar(len(source)) as tick:
        summary = extract(source, model, out, attributes, tick)
    for error in summary.bad:
        print(f"skipped {error}")
    if model.dropped:
        names = in_words(list(model.dropped))
        print(f"left out: {names} (no electrode that the model knows)")
    print(f"{summary.windows} windows of {summary.recordings} recordings")
    print(f"written: {out}")
    return 1 if summary.bad else 0


def _model(request: Request) -> tuple[Path, DictConfig]:
    """Return the folder of the saved model, and the configuration of its experiment or the base."""
    from bm.eval.experiments import of_sigs
    from bm.train import main
    from bm.xp.address import check_signature, resolve

    if (request.sig is None) == (request.model is None):
        raise UserError("which model? use sig=ab12cd34 or model=FOLDER")
    experiments = Path(main.dora.dir) / main.dora.xps
    if request.sig is not None:
        folder = resolve(f"//sig/{check_signature(request.sig)}", experiments)
        return folder, of_sigs([request.sig], main)[0].config
    name, base = str(request.model), main.resolve([]).cfg
    if name.startswith("//"):
        return resolve(name, experiments), base
    return Path(name).expanduser(), base


def _overrides(words: Sequence[str]) -> dict[str, Any]:
    """Return `dset.KEY=VALUE` words as a nested dictionary."""
    from omegaconf import OmegaConf

    from bm.xp.resolve import to_plain

    changes: dict[str, Any] = to_plain(OmegaConf.from_dotlist(list(words)))
    return changes.get("dset", {})


def _dset(
    request: Request, model: TokenModel, config: DictConfig, changes: dict[str, Any]
) -> dict[str, Any]:
    """Return the section `dset`, preprocessed as the training data of the model were.

    `segment` is None where whole recordings are extracted.
    """
    from omegaconf import OmegaConf

    from bm.train import main
    from bm.xp.resolve import to_plain

    dset = to_plain(config.dset)
    steps = model.facts.preprocess
    if steps is None and request.sig is not None:
        steps = dset["preprocess"]  # saved before models told their preprocessing
    if steps is None and "preprocess" not in changes:
        raise UserError(
            f"{model.folder} does not say how its data were preprocessed: give dset.preprocess="
        )
    # Of the model, not of the data set: another filter or rate would be other input.
    recipe = {"preprocess": list(steps or ()), "rate_hz": model.facts.rate_hz, "scale": RAW}
    for key in changes:
        check_known("key of dset", key, dset)
    if request.dset is not None:
        check_known("dset", request.dset, main.resolver.options("dset"))
        base = {**to_plain(main.resolve([f"dset={request.dset}"]).cfg.dset), **recipe}
    elif request.study is not None:
        base = {**dset, **recipe, "studies": [_entry(request)], "channels": None, "segment": None}
    elif "studies" in changes:
        base = {**dset, **recipe, "channels": None, "segment": None}
    elif request.sig is not None:
        base = {**dset, **recipe}
    else:
        raise UserError("which recordings? use study=folder path=FOLDER, study=NAME or dset=NAME")
    merged: dict[str, Any] = to_plain(OmegaConf.merge(base, changes))
    if str(merged.get("channels")).startswith("//"):  # an address that the training has followed
        merged["channels"] = list(model.facts.channels)
    return {**merged, "strict": request.strict or bool(merged.get("strict"))}


def _entry(request: Request) -> dict[str, Any]:
    """Return the entry of `dset.studies`; a path that exists from here is that."""
    entry: dict[str, Any] = {"study": request.study}
    if request.path is not None:
        path = Path(request.path).expanduser()
        entry["path"] = str(path.absolute() if path.exists() else path)
    return entry


def _source(
    request: Request, dset: dict[str, Any], config: DictConfig, model: TokenModel
) -> tuple[Recordings | list[Part], dict[str, Any]]:
    """Return the windows, recording by recording, and the attributes that name their labels."""
    from omegaconf import OmegaConf

    from bm.data.store import Store, recipe_of
    from bm.eval.tokens.extract import Recordings, parts_of_dataset
    from bm.solvers.build_data import absolute_paths, windows_of
    from bm.studies import recordings_of

    if dset["segment"] is not None:
        if request.window_s:
            raise UserError("window_s goes with study=; use dset.segment.duration_s=")
        dataset = windows_of(OmegaConf.create({"dset": dset, "paths": config.paths}))
        facts = dataset.facts
        about = {"classes": list(facts.classes), "values": list(facts.values)}
        return parts_of_dataset(dataset, model, request.split), {
            **about, "simulated": facts.simulated,
        }  # fmt: skip
    if request.split is not None:
        raise UserError("split goes with the windows of a data set: use dset= instead of study=")
    paths = absolute_paths(config.paths)
    members, simulated = recordings_of(dset["studies"], paths)
    store, window = Store(paths["cache"]), request.window_s or None
    source = Recordings(members, recipe_of(dset), store, model, window, dset["strict"])
    return source, {"classes": [], "values": [], "simulated": simulated}


@contextmanager
def _bar(total: int) -> Iterator[Callable[[float, int], None]]:
    """Show a progress bar over recordings, or lines without a terminal; yield what moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console, text = Console(stderr=True), TextColumn("recordings, {task.fields[windows]} windows")
    parts = BarColumn(), MofNCompleteColumn(), text, TimeElapsedColumn()
    # not what rich takes for a terminal: a notebook's FORCE_COLOR makes a file one
    progress = Progress(*parts, console=console, disable=not sys.stderr.isatty())
    task = progress.add_task("", total=total, windows=0)
    done, printed_at = 0.0, time.monotonic()

    def tick(share: float, windows: int) -> None:
        nonlocal done, printed_at
        done = min(done + share, total)
        progress.update(task, completed=done, windows=windows)
        if progress.disable and time.monotonic() - printed_at >= EVERY_S:
            printed_at = time.monotonic()
            print(f"{done:.3g} of {total} recordings, {windows} windows", flush=True)

    progress.start()  # not `with`: the bar stays after success and goes after an error
    try:
        yield tick
    except BaseException:
        progress.live.transient = True  # an error is one line
        raise
    finally:
        progress.stop()


def extraction(words: Sequence[str] = (), **values: Any) -> int:
    """Run `command` with the fields of `Request` as keyword arguments."""
    return command(Request(**values), words)


def _words() -> tuple[list[str], list[str]]:
    changes = [w for w in sys.argv[1:] if w.startswith("dset.")]
    return [w for w in sys.argv[1:] if w not in changes], changes


if __name__ == "__main__":
    mine, others = _words()
    sys.exit(main_of(extraction, mine, Request, words=others))
