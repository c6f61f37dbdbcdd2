"""Speed of the data path, on files that the bench writes: windows per second and memory."""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import h5py
import mne
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bm.data.batch import Batch
from bm.data.dataset import Dataset, build_dataset
from bm.data.loader import epoch_batches
from bm.data.scale import Scaler
from bm.data.signal import bare
from bm.data.store import Store
from bm.facts import DataFacts
from bm.readers.labram_h5 import write_file
from bm.studies.labram_corpus import LabramH5

CHANNELS, RATE_HZ, SECONDS = 64, 256.0, 2.0
LENGTH = int(SECONDS * RATE_HZ)
MINUTES = 20
BATCH = 64
PASSES = 5
#: A limit that moves by more than this share between passes says that others use the machine.
STEADY = 0.15
RECORDINGS = 3000
#: Samples of each of the many recordings: one window and a bit.
SHORT = LENGTH + 64
#: LaBraM's pre-training: windows of 4 s at 200 Hz, here a second apart.
H5_RATE_HZ, H5_WINDOW_S = 200.0, 4.0


def mapped(path: Path, samples: int) -> Tensor:
    """Return a (T, C) float32 tensor over the bytes of a file; no descriptor is held."""
    count = samples * CHANNELS
    return torch.from_file(str(path), shared=False, size=count).view(samples, CHANNELS)


def make_dataset(signals: list[Tensor], windows: int, kind: str) -> Dataset:
    """Return a data set of random windows, all of them of the split train."""
    records = [bare(data, RATE_HZ) for data in signals]
    names = records[0].channels
    rng = np.random.default_rng(0)
    which = np.arange(windows) % len(signals)
    rooms = np.array([len(signals[i]) - LENGTH for i in which])
    table = pd.DataFrame(
        {"recording": which, "start": (rng.random(windows) * rooms).astype(int),
         "length": LENGTH, "label": 0, "study": "bench", "subject": "1", "split": "train"}
    )  # fmt: skip
    dataset = Dataset(records, table, DataFacts(names, RATE_HZ, LENGTH, subjects=("bench/1",)), "")
    dataset.scaler = Scaler(kind, 20.0)
    dataset.scaler.fit(records, table, [0] * len(signals))
    return dataset


def epoch_rate(
    dataset: Dataset, work: Callable[[Batch], object] | None = None
) -> tuple[float, float]:
    """Return windows per second of an epoch through the Loader, and the share of time waited."""
    loader = dataset.loader("train", BATCH, shuffle=True)
    loader.set_epoch(1)  # a shuffled order, the same for every loader that is compared
    began, count = time.perf_counter(), 0
    for batch in loader:
        count += len(batch)
        if work is not None:
            work(batch)
    took = time.perf_counter() - began
    return count / took, loader.wait_s / took


def copy_rate(dataset: Dataset) -> float:
    """Return windows per second of processor time of copies into one buffer that is used again.

    The same windows in the same order, by NumPy's slices: a memcpy each, and no new memory.
    """
    signals = [signal.data.numpy() for signal in dataset.signals]
    starts, which = (dataset.table[name].tolist() for name in ("start", "recording"))
    batches = epoch_batches(dataset.loader("train", BATCH, shuffle=True).plan, 1)
    block = np.empty((BATCH, LENGTH, CHANNELS), np.float32)
    began = time.process_time()
    for rows in batches:
        for place, row in enumerate(rows.tolist()):
            block[place] = signals[which[row]][starts[row] : starts[row] + LENGTH]
    return sum(map(len, batches)) / (time.process_time() - began)


def processor_rate(dataset: Dataset) -> float:
    """Return windows per second of processor time, of all threads, through the Loader."""
    loader = dataset.loader("train", BATCH, shuffle=True)
    loader.set_epoch(1)
    began = time.process_time()
    count = sum(len(batch) for batch in loader)
    return count / (time.process_time() - began)


def unsteady(rates: Sequence[float]) -> str:
    """Return why figures against a limit are not judged, empty when it held still."""
    middle = statistics.median(rates)
    moved = max(abs(rate / middle - 1) for rate in rates)
    return f"not judged: the limit moved by {moved:.0%}" if moved > STEADY else ""


def mne_rate(signal: Tensor, folder: Path, windows: int = 300) -> float:
    """Return windows per second read one by one from a FIF file that is not preloaded."""
    info = mne.create_info(CHANNELS, RATE_HZ, "eeg")
    raw = mne.io.RawArray(signal.numpy().T * 1e-6, info, verbose="error")
    raw.save(folder / "bench_raw.fif", verbose="error")
    lazy = mne.io.read_raw_fif(folder / "bench_raw.fif", preload=False, verbose="error")
    starts = np.random.default_rng(0).integers(0, len(signal) - LENGTH, windows)
    began = time.process_time()
    for start in starts.tolist():
        lazy.get_data(start=start, stop=start + LENGTH).astype(np.float32)
    return windows / (time.process_time() - began)


def ratios(folder: Path) -> Iterator[tuple[str, float, float, str]]:
    """Yield (what, ratio, bar, note) of the loader against memcpy and against MNE, in turn."""
    samples = int(MINUTES * 60 * RATE_HZ)
    torch.randn(samples, CHANNELS).numpy().tofile(folder / "long.f32")
    signal = mapped(folder / "long.f32", samples)
    plain, scaled = (make_dataset([signal], 6000, kind) for kind in ("none", "robust"))
    rates: list[tuple[float, float, float]] = []
    for index in range(PASSES + 1):
        turn = copy_rate(plain), processor_rate(plain), processor_rate(scaled)
        if index:  # the first pass warms the page cache
            rates.append(turn)
    copies, loader, clamped = (statistics.median(column) for column in zip(*rates, strict=True))
    note = unsteady([one[0] for one in rates])
    share = statistics.median(one[1] / one[0] for one in rates)
    what = "by processor time, Loader"
    yield f"{what} / memcpy ({loader:,.0f} and {copies:,.0f} windows/s)", share, 0.65, note
    share = statistics.median(one[2] / one[0] for one in rates)
    yield f"{what} with scaling and clamp / memcpy ({clamped:,.0f} windows/s)", share, 0.4, note
    lazy = mne_rate(signal, folder)
    yield f"{what} / lazy MNE per window ({lazy:,.0f} windows/s)", loader / lazy, 10.0, ""


def slicing_rate(path: Path, table: pd.DataFrame, length: int) -> float:
    """Return float32 windows per second of an open HDF5 file.

    Each is looked up by the name of its recording and sliced, as LaBraM's published data set does.
    """
    with h5py.File(path) as file:
        began = time.perf_counter()
        for name, start in zip(table["subject"], table["start"], strict=True):
            file[name]["eeg"][:, start : start + length].astype("float32")
        return len(table) / (time.perf_counter() - began)


def h5_ratio(folder: Path) -> tuple[str, float, float]:
    """Return (what, ratio, bar) of random windows of a file in LaBraM's layout against slices."""
    path, samples = folder / "labram_h5" / "noise.hdf5", int(60 * H5_RATE_HZ)
    signals = {f"r{i}": bare(torch.randn(samples, CHANNELS), H5_RATE_HZ) for i in range(MINUTES)}
    write_file(path, signals, {})
    rule = {"kind": "recording", "duration_s": H5_WINDOW_S, "stride_s": 1.0, "label": None}
    split = {"key": "recording", "seed": 0, "ratios": {"train": 1.0}, "fixed": {}}
    dset = {"segment": rule, "split": split, "scale": {"kind": "none", "clamp": None}}
    recordings = list(LabramH5(folder).recordings())
    dataset = build_dataset(recordings, dset, store=Store(folder / "cache"))
    some, pairs = dataset.table.sample(300, random_state=0), []
    for index in range(PASSES + 1):
        pair = slicing_rate(path, some, int(H5_WINDOW_S * H5_RATE_HZ)), epoch_rate(dataset)[0]
        if index:  # the first pass warms the page cache
            pairs.append(pair)
    sliced, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    what = f"Loader / slices of an HDF5 file in LaBraM's layout ({ours:,.0f} and {sliced:,.0f}"
    return f"{what} windows/s)", statistics.median(b / a for a, b in pairs), 5.0


def waiting() -> float:
    """Return the share of an epoch that a small convolution on each batch waits for data."""
    signal = torch.randn(int(60 * RATE_HZ), CHANNELS)
    layer = torch.nn.Conv1d(CHANNELS, 32, 25)
    dataset = make_dataset([signal], 40 * BATCH, "robust")
    # A layer far smaller than any model: with a real one there is more time to read ahead.
    with torch.no_grad():
        return epoch_rate(dataset, lambda batch: layer(batch.signal))[1]


def growth_mb(folder: Path) -> float:
    """Return the growth of private memory, MB, over an epoch of many memory-mapped recordings."""
    signals = []
    block = np.random.default_rng(0).standard_normal((SHORT, CHANNELS), dtype=np.float32)
    # As many as a process may not hold open: descriptors end at 1,024 by default.
    for index in range(RECORDINGS):
        path = folder / f"{index}.f32"
        block.tofile(path)
        signals.append(mapped(path, SHORT))
    dataset = make_dataset(signals, RECORDINGS, "none")
    epoch_rate(dataset)  # what the first epoch allocates once is no growth
    before = anonymous_mb()
    epoch_rate(dataset)
    return max(0.0, anonymous_mb() - before)


def anonymous_mb() -> float:
    """Return the private memory of this process in MB (the peak where there is no /proc)."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(float(w.split()[1]) for w in lines if w.startswith("RssAnon")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure() -> Iterator[tuple[str, float, str, float, str, str]]:
    """Yield (what, value, unit, bar, direction, note) of every figure, on one thread."""
    # One thread: rates compare only at equal numbers of threads.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(dir=".") as name:
            for what, value, bar, note in ratios(Path(name)):
                yield what, value, "x", bar, ">=", note
            what, value, bar = h5_ratio(Path(name).resolve())
            yield what, value, "x", bar, ">=", ""
            growth = growth_mb(Path(name))
            yield f"growth over an epoch of {RECORDINGS} recordings", growth, "MB", 50.0, "<=", ""
        yield "share of time a small convolution waits for data", waiting(), "", 1.0, "<=", ""
    finally:
        torch.set_num_threads(threads)
