"""Ranges of the configuration's numbers, one table: checked before anything starts, and printed.

`python -m bm.xp.ranges` prints the table as it stands in the documentation. Keys that are not in it
are checked by what reads them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ..errors import UserError
from ..registry import check_file_name, check_known


@dataclass(frozen=True)
class Range:
    """Interval that the numbers of a key lie in.

    Attributes:
        low, high: its ends; infinite = none.
        open_low, open_high: the end itself is outside.
        whole: only whole numbers.
        null: the key may be null as well.
    """

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    whole: bool = False
    null: bool = False

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        # an infinite rate or duration is as little meant as a NaN
        if not math.isfinite(value) or (self.whole and value != int(value)):
            return False
        below = value <= self.low if self.open_low else value < self.low
        above = value >= self.high if self.open_high else value > self.high
        return not (below or above)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        ends = []
        if math.isfinite(self.low):
            ends.append(f"above {self.low:g}" if self.open_low else f"of at least {self.low:g}")
        if math.isfinite(self.high):
            ends.append(f"below {self.high:g}" if self.open_high else f"at most {self.high:g}")
        return " ".join([kind, " and ".join(ends)]).strip() + (" or null" if self.null else "")


COUNT = Range(1, whole=True)
COUNT_OR_NULL = Range(1, whole=True, null=True)
FROM_ZERO = Range(0)
WHOLE_FROM_ZERO = Range(0, whole=True)
POSITIVE_OR_NULL = Range(0, open_low=True, null=True)
DECAY = Range(0, 1, open_high=True)
DECAY_OR_NULL = Range(0, 1, open_high=True, null=True)

#: Key, or pattern of keys, -> range; the elements of a list lie in the range of the list.
RANGES: dict[str, Range] = {
    "seed": Range(0, 2**62, whole=True),  # generators of random numbers take no more
    "threads": COUNT_OR_NULL,
    "workers": WHOLE_FROM_ZERO,
    "optim.lr": FROM_ZERO,
    "optim.lr_batch": POSITIVE_OR_NULL,
    "optim.betas": DECAY,
    "optim.eps": FROM_ZERO,
    "optim.weight_decay": DECAY,
    "optim.momentum": DECAY,
    "optim.layer_decay": Range(0, 1, open_low=True),
    # 0, of experiments that are there, is `untrained` in new ones: see `check_epochs`
    "optim.epochs": WHOLE_FROM_ZERO,
    "optim.batch_size": COUNT,
    "optim.accumulate": COUNT,
    "optim.clip_norm": POSITIVE_OR_NULL,
    "optim.max_batches": COUNT_OR_NULL,
    "schedule.warmup_epochs": FROM_ZERO,
    "schedule.warmup_steps": Range(0, whole=True, null=True),
    "schedule.min_lr": FROM_ZERO,
    "schedule.weight_decay_end": DECAY_OR_NULL,
    "schedule.step_epochs": COUNT,
    "schedule.step_gamma": Range(0, open_low=True),
    "ema.decay": DECAY_OR_NULL,
    "ema.inv_gamma": Range(0, open_low=True),
    "ema.power": FROM_ZERO,
    # 0 is as 1: stop at the first validation without improvement
    "early_stop.patience": Range(0, whole=True, null=True),
    "early_stop.min_delta": FROM_ZERO,
    "valid_every": COUNT,
    "eval.every": COUNT_OR_NULL,
    "eval.batch_size": COUNT_OR_NULL,
    "generate.every": COUNT_OR_NULL,
    "generate.n": WHOLE_FROM_ZERO,
    "generate.steps": COUNT,
    "generate.eta": FROM_ZERO,
    "generate.guidance": FROM_ZERO,
    "generate.batch_size": COUNT,
    "checkpoint.every": COUNT,
    "checkpoint.every_steps": COUNT_OR_NULL,
    "checkpoint.keep": COUNT,
    "log.every": WHOLE_FROM_ZERO,
    "dset.rate_hz": POSITIVE_OR_NULL,
    "dset.n_subjects": COUNT_OR_NULL,
    "dset.segment.duration_s": POSITIVE_OR_NULL,
    "dset.segment.stride_s": POSITIVE_OR_NULL,
    "solver.label_smoothing": DECAY,
    "solver.mask_ratio": Range(0, 1, open_low=True, open_high=True),
    "solver.components": COUNT,
    "model.decay": DECAY,
    "model.*.decay": DECAY,
}
#: Keys whose list has two numbers.
PAIRS = ("optim.betas",)
#: Key -> names that it takes; every other name would be found only when the run has begun.
NAMES: dict[str, tuple[str, ...]] = {
    "precision": ("fp32", "bf16", "fp16"),
    "optim.name": ("adam", "adamw", "sgd"),
    "schedule.name": ("constant", "cosine", "linear", "step"),
    "schedule.warmup_form": ("zero", "inclusive", "next"),
    "ema.mode": ("constant", "ramp", "power"),
    "generate.sampler": ("ddpm", "ddim", "dpm", "euler", "heun", "midpoint"),
    "best.mode": ("min", "max"),
    "wandb.mode": ("disabled", "offline", "online"),
}
DEVICES = ("auto", "cpu", "cuda", "mps")
FOLDERS = ("paths.studies", "paths.cache", "paths.models")
#: Keys that nothing runs without.
NEEDED = ("optim.name", "precision", "device", "solver.name", "solver.task", "wandb.mode")
#: Solvers that train step by step.
STEPPED = (
    *("autoencoder", "channels", "contrastive", "diffusion", "diffusion_maps"),
    *("latent_diffusion", "masked"),
    *("phonemes", "selfsupervised", "supervised", "tokenizer", "vocoder"),
)
#: Section -> solvers that read it. A solver of another package may read all of them.
READERS: dict[str, tuple[str, ...]] = {
    "tokenizer": ("masked",),
    "generate": (
        *("autoencoder", "diffusion", "diffusion_maps", "latent_diffusion"),
        *("tokenizer", "vocoder"),
    ),
    "ema": STEPPED,
    "schedule": STEPPED,
    "early_stop": STEPPED,
    "init_from": STEPPED,
}
SOLVERS = ("baseline", *STEPPED)


def range_of(key: str) -> Range | None:
    """Return the range of a dotted key, None when it has none."""
    if key in RANGES:
        return RANGES[key]
    patterns = (pattern for pattern in RANGES if "*" in pattern and fnmatchcase(key, pattern))
    pattern = next(patterns, None)
    return None if pattern is None else RANGES[pattern]


def shown(value: object) -> object:
    """Return a value as it is typed: null, true and false."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else value


def check_value(key: str, value: object) -> None:
    """Raise `UserError` unless the value of a dotted key lies in its range.

    A value that is taken from another key (`${...}`) is checked by what reads it.
    """
    if isinstance(value, str) and "${" in value:
        return
    element, _, index = key.rpartition(".")
    name = element if index.isdigit() and element in RANGES else key
    expectation = range_of(name)
    if expectation is not None:
        values = value if isinstance(value, list | tuple) else [value]
        if key in PAIRS and len(values) != 2:
            raise UserError(f"{key}={value}: two numbers are expected, as [0.9, 0.99]")
        for item in values:
            if item not in expectation and not (item is None and expectation.null):
                raise UserError(f"{name}={shown(item)}: {expectation} is expected")
    if key in NEEDED and value is None:
        choices = f"; known: {', '.join(NAMES[key])}" if key in NAMES else ""
        raise UserError(f"{key}=null: it cannot be empty; leave it out{choices}")
    if key in FOLDERS and not (isinstance(value, str) and value.strip()):
        raise UserError(f"{key}={shown(value)}: a folder is expected")
    if key in NAMES and value is not None:
        check_known(key, str(value), NAMES[key])
    if key == "dset.name" and value is not None:
        check_file_name(key, str(value))
    if key == "device":
        kind, _, number = str(value).partition(":")
        if number and not number.isdigit():
            raise UserError(f"device={value}: a number is expected after the colon, as cuda:0")
        if kind not in DEVICES:
            raise UserError(f"unknown device {value!r}; known: {', '.join(DEVICES)}, cuda:NUMBER")


def check_config(plain: Mapping[str, Any], prefix: str = "") -> None:
    """Raise `UserError` for the first value of a nested configuration outside its range."""
    for key, value in plain.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            check_config(value, f"{name}.")
        else:
            check_value(name, value)


def check_reader(key: str, value: object, default: object, solver: str) -> None:
    """Raise `UserError` for a value that the solver would not read: it would change nothing.

    Args:
        key: dotted key that the user gives.
        value: what it is given.
        default: value without the argument, which may be repeated.
        solver: registered name.
    """
    section = key.split(".")[0]
    readers = READERS.get(section)
    if readers is None or solver not in SOLVERS or solver in readers or value == default:
        return
    raise UserError(
        f"{key}={shown(value)}: solver {solver} does not read {section!r}, "
        f"which belongs to {', '.join(readers)}; leave it out"
    )


def check_machine(device: str, precision: str, gpus: int) -> None:
    """Raise `UserError` for what a machine with so many GPUs cannot train, without torch.

    Args:
        device: value of the key.
        precision: value of the key.
        gpus: number of GPUs of the machine that trains.
    """
    if gpus == 0 and device.startswith("cuda"):
        raise UserError(f"device={device}: this machine has no GPU; use device=auto or device=cpu")
    if precision == "fp16" and (device == "cpu" or (gpus == 0 and device == "auto")):
        raise UserError(
            f"precision=fp16 device={device}: half precision trains on a GPU, and there is none "
            "to use; set precision=fp32"
        )


def check_epochs(value: object) -> None:
    """Raise `UserError` for a run of no epochs, which is an oversight more often than a control.

    Apart from `RANGES`, so that experiments of before `untrained` can be read.
    """
    if str(value) in ("0", "0.0"):
        raise UserError(
            f"optim.epochs={value}: {COUNT} is expected; untrained=true evaluates the network as "
            "it is initialised"
        )


def check_together(config: Mapping[str, Any]) -> None:
    """Raise `UserError` for values that are right alone and not together."""
    precision, device = config.get("precision"), config.get("device")
    if precision == "fp16" and device == "cpu":
        raise UserError(
            "precision=fp16 device=cpu: half precision trains on a GPU only; use precision=fp32"
        )


def lines() -> Iterator[str]:
    """Yield the table of keys and what they take, as Markdown."""
    yield "| key | value |"
    yield "|---|---|"
    for key, expectation in RANGES.items():
        yield f"| `{key}` | {expectation} |"
    for key, names in {"device": DEVICES, **NAMES}.items():
        yield f"| `{key}` | {', '.join(names)} |"
    for section, readers in READERS.items():
        yield f"| `{section}` | read by solver {', '.join(readers)} |"


if __name__ == "__main__":
    print("\n".join(lines()))
