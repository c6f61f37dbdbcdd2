"""Loader: order from (seed, epoch), seek, shards, groups, errors of the thread."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from bm.data.batch import Batch
from bm.data.loader import Loader, Plan, epoch_batches


def plan(**changes) -> Plan:
    values = {"rows": np.arange(103), "groups": np.zeros(103, int), "batch_size": 10,
              "shuffle": True, "seed": 3}  # fmt: skip
    return Plan(**{**values, **changes})


def gather(rows) -> Batch:
    index = torch.tensor(rows)
    zeros = torch.zeros(len(index), 1)
    return Batch(
        signal=zeros[..., None],
        positions=torch.zeros(len(index), 1, 3),
        channel_mask=zeros.bool(),
        channel_ids=zeros.long(),
        subject=index,
        recording=index,
        segment=index,
    )


def rows_of(loader: Loader) -> list[list[int]]:
    return [batch.segment.tolist() for batch in loader]


def test_order_depends_on_seed_and_epoch_alone_and_touches_no_global_generator() -> None:
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    loader = Loader(plan(), gather, pin=False)
    loader.set_epoch(5)
    first = rows_of(loader)
    assert states == (
        random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(),
    )  # fmt: skip
    other = Loader(plan(), gather, pin=False)
    other.set_epoch(5)
    assert rows_of(other) == first
    other.set_epoch(6)
    assert rows_of(other) != first
    assert len(loader) == len(first) == 10 and len({r for b in first for r in b}) == 100


def test_seek_continues_where_it_stopped() -> None:
    loader = Loader(plan(), gather, pin=False)
    loader.set_epoch(1)
    whole = rows_of(loader)
    assert loader.position == 10
    loader.set_epoch(1)
    loader.seek(4)
    assert rows_of(loader) == whole[4:]


def test_two_processes_together_see_the_batches_of_one() -> None:
    one = epoch_batches(plan(batch_size=20), 2)
    halves = [epoch_batches(plan(rank=r, world=2), 2) for r in (0, 1)]
    assert len(halves[0]) == len(halves[1]) == len(one)
    for batch, left, right in zip(one, *halves, strict=True):
        assert sorted(batch) == sorted([*left, *right])


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_process_sees_as_many_batches_when_a_group_is_smaller_than_the_world(shuffle) -> None:
    groups = np.array([0] * 100 + [1] * 3 if shuffle else [0] * 103)
    ranks = [
        epoch_batches(plan(groups=groups, shuffle=shuffle, rank=r, world=4), 1) for r in range(4)
    ]
    assert len({len(batches) for batches in ranks}) == 1
    assert all(len(batch) for batches in ranks for batch in batches)
    rows = np.concatenate([batch for batches in ranks for batch in batches])
    assert set(range(100, 103)) <= set(rows)  # the small group is there
    if not shuffle:
        assert sorted(rows) == list(range(103))


def test_a_tiny_group_is_evaluated_once_and_not_repeated() -> None:
    ranks = [epoch_batches(plan(rows=np.arange(3), groups=np.zeros(3, int), shuffle=False,
                              rank=r, world=4), 0) for r in range(4)]  # fmt: skip
    assert sorted(np.concatenate([b for batches in ranks for b in batches])) == [0, 1, 2]


def test_a_batch_holds_one_group() -> None:
    groups = np.arange(103) % 3
    for batch in epoch_batches(plan(groups=groups), 0):
        assert len(set(groups[batch])) == 1


def test_without_shuffling_every_row_comes_in_order() -> None:
    batches = epoch_batches(plan(shuffle=False), 0)
    assert np.concatenate(batches).tolist() == list(range(103))


def test_a_small_split_still_gives_a_batch() -> None:
    assert [len(b) for b in epoch_batches(plan(rows=np.arange(4), groups=np.zeros(4, int)), 0)] == [
        4
    ]


def test_an_error_in_the_thread_reaches_the_loop_and_leaving_early_ends_the_thread() -> None:
    def broken(rows):
        if 50 in rows:
            raise ValueError("bad window")
        return gather(rows)

    with pytest.raises(ValueError, match="bad window"):
        rows_of(Loader(plan(), broken, pin=False))
    loader = Loader(plan(), gather, pin=False)
    for _ in loader:
        break
    assert loader.position == 1 and loader.wait_s > 0
