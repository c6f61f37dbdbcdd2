"""Windows that lie on the device: the same numbers as gathered ones, in the same memory layout."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from bm.data.augment import Augmentation
from bm.data.device_windows import check_room
from bm.errors import UserError

from ..engine import toy
from ..experiments import history_of, run
from ..studies.datasets import dataset

CPU = torch.device("cpu")
WORDS = ("solver=duin/debug", "optim.epochs=2", "optim.max_batches=3", "log.figures=false")


def test_a_gathered_batch_is_the_same_wherever_its_windows_lie(tmp_path) -> None:
    data = dataset("simulated_motor", tmp_path)
    data.augmentation = Augmentation(
        [{"step": "zero_shift", "max_s": 0.2}, {"step": "noise", "sd": 0.1},
         {"step": "frequency_shift", "max_hz": 1.0}]
    )  # fmt: skip
    loaders = [data.loader("train", 8, shuffle=True, seed=3)]
    data.move_to(CPU)
    loaders.append(data.loader("train", 8, shuffle=True, seed=3))
    batches = list(zip(*loaders, strict=True))
    assert len(batches) > 3
    for host, device in batches:
        for item in dataclasses.fields(host):
            first, second = getattr(host, item.name), getattr(device, item.name)
            same = torch.equal(first, second) if torch.is_tensor(first) else first == second
            assert same, item.name
        assert host.signal.stride()[1:] == device.signal.stride()[1:]
    # what was changed was a copy
    held = data.on_device.gather(data.rows("train")[:8])
    assert torch.equal(held.signal, data.gather(data.rows("train")[:8]).signal)


def test_windows_of_other_channels_lie_in_blocks_of_their_own(tmp_path) -> None:
    """Rows of one batch have one layout, whichever order the table has them in."""
    studies = [
        {"study": "simulated", "mode": "seeg", "preset": "tiny", "shafts": [1, 2]},
    ]
    data = dataset("duin/simulated_words_small", tmp_path, studies=studies, channels=None)
    rows = np.arange(len(data.table))
    groups = data.groups(rows)
    assert len(np.unique(groups)) == 2
    data.move_to(CPU)
    for group in np.unique(groups):
        some = rows[groups == group][::-2]
        assert torch.equal(data.on_device.gather(some).signal, data.gather(some).signal)


@pytest.mark.story
def test_training_has_the_same_bits(tmp_path) -> None:
    host = run(tmp_path / "host", *WORDS)
    device = run(tmp_path / "device", *WORDS, "dset.on_device=true")
    assert device.data.on_device is not None and host.data.on_device is None
    assert host.xp.sig == device.xp.sig, "where windows lie changes no result"
    assert toy.same(dict(host.model.state_dict()), dict(device.model.state_dict()))
    losses = [[e["train"]["loss"] for e in history_of(s)] for s in (host, device)]
    assert losses[0] == losses[1]


def test_more_windows_than_the_gpu_holds_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 2 * 10**9))
    check_room(100, 10**8, torch.device("cuda"))
    with pytest.raises(UserError, match=r"100 windows take 1\.5 GB, 1\.0 GB"):
        check_room(100, 15 * 10**8, torch.device("cuda"))
