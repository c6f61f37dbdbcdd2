"""One training step against what the processor can do, and against its own plain form.

    frac = FLOP / step time / P_mm
    eff  = (F_other / P_mm + F_conv / P_conv) / step time

One thread, process time, both peaks taken right before each step, variants in turn, medians, and no
verdict where the peak of matrix products moves: on a shared machine a peak was once read at a third
of its value, and a step at 1.7 times its time.
"""

from __future__ import annotations

import copy
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from bm.data.batch import Batch
from bm.engine.perf import device_peak
from bm.engine.solver import Solver
from bm.nn.roles import set_explicit
from bm.solvers.text_condition import WindowTexts

from ._step_cases import CASES, Case, batch_of, case_names, trainer

ROUNDS = 5
WARM = 3  # rounds that are thrown away on a GPU: compilation, choice of kernels
BF16 = "precision=bf16"
PROFILED = 3  # steps whose operators are timed
MOVED = 0.15  # the peak may move by so much within a run
NARROW = 0.6  # eff is judged where the peak of products is below this share of the convolutions'
MM_SIDE = 2048
DATA_WAIT = 5.0  # % of a step that may be spent waiting for data, with the published batch
CONV_INPUT, CONV_WEIGHT = (4, 256, 48, 32), (256, 256, 3, 3)
HEAVY = re.compile(r"aten::(\w*mm|\w*conv\w*|_?scaled_dot_product\w*|mkldnn_linear\w*|linear)$")
CONVOLUTION = re.compile(r"conv")
OUTSIDE = ("Optimizer.",)  # ranges of the profile that belong to no model

#: what, value, unit, bar, direction, note.
Figure = tuple[str, float | None, str, float | None, str, str]


@dataclass(frozen=True)
class Flops:
    """FLOP of one step, forward and backward."""

    conv: float
    other: float

    @property
    def total(self) -> float:
        """Return both together."""
        return self.conv + self.other


@dataclass
class Times:
    """Times of the rounds of one case: seconds by variant, and the peaks, FLOP/s."""

    steps: dict[str, list[float]] = field(default_factory=dict)
    mm: list[float] = field(default_factory=list)
    conv: list[float] = field(default_factory=list)

    def ratio(self, one: str, other: str) -> float:
        """Return the median over rounds of the time of `one` over that of `other`."""
        pairs = zip(self.steps[one], self.steps[other], strict=True)
        return statistics.median(a / b for a, b in pairs)

    @property
    def moved(self) -> float:
        """Return the span of the peak of products over its median."""
        return (max(self.mm) - min(self.mm)) / statistics.median(self.mm)


def frac(flops: Flops, seconds: float, mm: float) -> float:
    """Return the share of the peak of matrix products (FLOP/s)."""
    return flops.total / seconds / mm


def eff(flops: Flops, seconds: float, mm: float, conv: float) -> float:
    """Return the share of the step that it would take with every operator at its peak (FLOP/s)."""
    return (flops.other / mm + flops.conv / conv) / seconds


def refusal(times: Times) -> str:
    """Return why nothing timed may be judged, empty when it may."""
    if times.moved <= MOVED:
        return ""
    return f"not judged: P_mm moved {times.moved:.0%}"


def refusal_of_eff(times: Times) -> str:
    """Return why eff may not be judged: where products run at full width there is no bar yet."""
    share = statistics.median(times.mm) / statistics.median(times.conv)
    return refusal(times) or (f"no bar: P_mm is {share:.2f} P_conv" if share >= NARROW else "")


# counting ---------------------------------------------------------------------------------


class _OneLayout(TorchDispatchMode):
    """Without values, all rows of a batch count as equal (the places of its sensors)."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "unique_dim" in str(func):
            rows = torch.zeros(len(args[0]), dtype=torch.long, device=args[0].device)
            return args[0][:1], rows, rows[:1] + 1
        return func(*args, **(kwargs or {}))


def set_attention(module: nn.Module) -> None:
    """Set attention to single products, which can be counted, in all parts of a model.

    The counter of torch 2.13 has no formula for the fused kernel of processors: it counts zero.
    """
    set_explicit(module, True)
    part: Any
    for part in module.modules():
        if hasattr(part, "set_attn_processor") and hasattr(part, "attn_processors"):  # diffusers'
            part.set_attn_processor(AttnProcessor())


class _Texts:
    """Stand-in for the texts of windows, which are looked up by values: states of their shape."""

    def __init__(self, texts: WindowTexts) -> None:
        self.shape = texts.table.values.shape[1:]

    def of(self, segments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return states (B, L, D) and token masks (B, L)."""
        tokens, width = self.shape
        states = torch.empty(len(segments), tokens, width)
        return states, torch.ones(len(segments), tokens, dtype=torch.bool)


@contextmanager
def _without_values(solver: Solver) -> Iterator[None]:
    """Replace the networks of a solver by copies without values and with explicit attention."""
    texts = {k: v for k, v in vars(solver).items() if isinstance(v, WindowTexts)}
    networks = {key: value for key, value in vars(solver).items() if isinstance(value, nn.Module)}
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        for key, value in networks.items():
            network = copy.deepcopy(value)
            set_attention(network)
            setattr(solver, key, network._apply(mode.from_tensor))
        vars(solver).update({key: _Texts(value) for key, value in texts.items()})
        with mode, _OneLayout():
            yield
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)
        vars(solver).update({**networks, **texts})


def count(solver: Solver, batch: Batch) -> Flops:
    """Count the FLOP of a step of a solver, forward and backward; nothing is computed."""
    with _without_values(solver), FlopCounterMode(display=False) as counter:
        solver.step(batch.mapped(torch.empty_like), "train")["loss"].backward()
    counts = counter.get_flop_counts()["Global"]
    conv = sum(n for op, n in counts.items() if CONVOLUTION.search(str(op)))
    return Flops(float(conv), float(sum(counts.values()) - conv))


# timing -----------------------------------------------------------------------------------


def process_s(action: Callable[[], object]) -> float:
    """Return the CPU time of one call: the machine may be shared."""
    began = time.process_time()
    action()
    return time.process_time() - began


class Peaks:
    """Peaks of this processor in one thread and float32, FLOP/s."""

    def __init__(self) -> None:
        self.matrix = torch.randn(MM_SIDE, MM_SIDE)
        self.image, self.weight = torch.randn(CONV_INPUT), torch.randn(CONV_WEIGHT)

    @torch.no_grad()
    def measure(self) -> tuple[float, float]:
        """Measure a matrix product and a 3x3 convolution."""
        mm = process_s(lambda: self.matrix @ self.matrix)
        conv = process_s(lambda: nn.functional.conv2d(self.image, self.weight, padding=1))
        outer, inner = CONV_WEIGHT[:2]
        places = CONV_INPUT[0] * CONV_INPUT[2] * CONV_INPUT[3]
        return 2 * MM_SIDE**3 / mm, 2 * 9 * outer * inner * places / conv


def alternate(steps: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> Times:
    """Run variants in turn, peaks before each; the first round is thrown away."""
    times, peaks = Times({name: [] for name in steps}), Peaks()
    for index in range(rounds + 1):
        for name, step in steps.items():
            mm, conv = peaks.measure()
            took = process_s(step)
            if index:
                times.steps[name].append(took)
                times.mm.append(mm)
                times.conv.append(conv)
    return times


def heavy_share(step: Callable[[], object]) -> float:
    """Return the share of products, convolutions and attention in a step without its optimiser.

    Self times of operators: what an operator calls counts by itself.
    """
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        step()
    heavy = total = 0.0
    for event in profiler.events() or ():
        if not _outside(event):
            total += event.self_cpu_time_total
            heavy += event.self_cpu_time_total * bool(HEAVY.match(event.name))
    return heavy / total


def _outside(event: FunctionEvent | None) -> bool:
    """Return whether an operator is part of the optimiser, which belongs to no model."""
    while event is not None:
        if event.name.startswith(OUTSIDE):
            return True
        event = event.cpu_parent
    return False


# one case ---------------------------------------------------------------------------------


def plain_form(solver: Solver, case: Case) -> Solver:
    """Give a training its plain form: explicit attention, loop optimiser, usual layout."""
    for value in vars(solver).values():
        if isinstance(value, nn.Module) and not case.fused_attention:
            set_attention(value)
    solver.model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for group in solver.run.optimizer.param_groups:
        group.update(fused=False, foreach=False)
    return solver


def has_bf16() -> bool:
    """Return whether the processor has instructions for bfloat16."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in checks)


def on_processor(name: str, folder: Path) -> list[Figure]:
    """Return all figures of a case on one thread of the processor."""
    case = CASES[name]
    words = {"plain": (), "default": (), "bf16": (BF16,)}
    if not has_bf16():
        del words["bf16"]
    solvers = {key: trainer(name, folder, *more) for key, more in words.items()}
    plain_form(solvers["plain"], case)
    default, batch = solvers["default"], batch_of(solvers["default"])
    flops = count(default, batch)

    def stepper(solver: Solver) -> Callable[[], object]:
        return lambda: solver.run.optimise([batch], 0)

    times = alternate({key: stepper(solver) for key, solver in solvers.items()})
    heavy = statistics.median(heavy_share(stepper(default)) for _ in range(PROFILED))
    lines = figures(f"{name}, batch {len(batch)}", case, flops, times, heavy)
    if case.loaded is not None:
        window_s = statistics.median(times.steps["default"]) / len(batch)
        share = 100 * reading_s(default, case.loaded) / (window_s * case.loaded)
        what = f"{name}: reading {case.loaded} windows / a step of {case.loaded}"
        lines.append((what, share, "%", DATA_WAIT, "<=", refusal(times)))
    return lines


def reading_s(solver: Solver, size: int) -> float:
    """Return the CPU time of reading a batch of so many random windows with their features.

    The wait of a training is at most this, and nothing once reading goes on beside the step.
    """
    loader = solver.data.loader("train", size, shuffle=True)
    took = []
    for epoch in range(ROUNDS + 1):
        loader.set_epoch(epoch)
        took.append(process_s(lambda: len(next(iter(loader)))))
    return statistics.median(took[1:])


def figures(what: str, case: Case, flops: Flops, times: Times, heavy: float) -> list[Figure]:
    """Return the figures of a case, each with its bar or why there is none."""
    bars, why = case.bars, refusal(times)
    step = statistics.median(times.steps["default"])
    mm, conv = statistics.median(times.mm), statistics.median(times.conv)
    share = flops.conv / flops.total
    peaks = f"P_mm {mm / 1e9:.0f}, P_conv {conv / 1e9:.0f} GFLOP/s"
    lines: list[Figure] = [
        (f"{what}: step, {torch.get_num_threads()} thread, {peaks}", step, "s", None, "", ""),
        (f"{what}: operations, {share:.0%} convolution", flops.total / 1e9, "GFLOP", None, "", ""),
        (f"{what}: frac of P_mm", frac(flops, step, mm), "", None, "", why),
        (f"{what}: eff", eff(flops, step, mm, conv), "", bars.eff, ">=", refusal_of_eff(times)),
        (f"{what}: heavy share", heavy, "", bars.heavy, ">=", why),
        (f"{what}: plain form / default", times.ratio("plain", "default"), "x", bars.ratio, ">=",
         why),
    ]  # fmt: skip
    if "bf16" in times.steps:
        factor = times.ratio("default", "bf16")
        lines.append((f"{what}: fp32 / bf16", factor, "x", bars.bf16, ">=", why))
    else:
        note = "not measured: no bf16 instructions"
        lines.append((f"{what}: fp32 / bf16", None, "x", bars.bf16, ">=", note))
    return lines


def on_gpu(name: str, folder: Path) -> list[Figure]:
    """Return eager float32 against bfloat16, and that compiled, on a GPU; wall time."""
    words = {"fp32": (), "bf16": (BF16,), "compiled": (BF16, "compile=true")}
    solvers = {k: trainer(name, folder, "device=cuda", *more) for k, more in words.items()}
    device, batch = solvers["fp32"].device, batch_of(solvers["fp32"])
    flops, steps = count(solvers["fp32"], batch), Times({key: [] for key in words})

    for index in range(ROUNDS + WARM):
        for key, solver in solvers.items():
            torch.cuda.synchronize()
            began = time.perf_counter()
            solver.run.optimise([batch], 0)
            torch.cuda.synchronize()
            if index >= WARM:
                steps.steps[key].append(time.perf_counter() - began)
    what = f"{name}, batch {len(batch)} on {torch.cuda.get_device_name(device)}"
    took = statistics.median(steps.steps["compiled"])
    compiled = steps.ratio("fp32", "compiled")
    lines: list[Figure] = [
        (f"{what}: compiled bf16 step", took, "s", None, "", ""),
        (f"{what}: fp32 / bf16", steps.ratio("fp32", "bf16"), "x", None, "", ""),
        (f"{what}: fp32 / compiled bf16", compiled, "x", CASES[name].bars.gpu, ">=", ""),
    ]
    peak = device_peak(device, "bf16")
    if peak is not None:
        lines.append((f"{what}: MFU, compiled bf16", flops.total / took / peak, "", None, "", ""))
    return lines


def measure(name: str | None = None) -> Iterator[Figure]:
    """Yield all figures of the cases that `name` selects (None = all but the slow ones)."""
    threads = torch.get_num_threads()
    try:
        for one in case_names(name):
            with tempfile.TemporaryDirectory(dir=".") as folder:
                yield from on_processor(one, Path(folder).resolve())
                if torch.cuda.is_available():
                    yield from on_gpu(one, Path(folder).resolve())
                else:
                    bar = CASES[one].bars.gpu
                    yield f"{one}: fp32 / compiled bf16 on a GPU", None, "x", bar, ">=", "no GPU"
    finally:
        torch.set_num_threads(threads)
