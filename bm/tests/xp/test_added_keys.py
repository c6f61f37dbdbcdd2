"""`+key=value` adds what something reads, and nothing else; `++key=value` is checked as any."""

from __future__ import annotations

import ast
import re

import pytest

from bm.errors import UserError
from bm.solvers import OPTIONS
from bm.tests.docs_commands import ROOT
from bm.train import main

#: Between two arguments of a line, not inside one (`{rank: 4}`).
SPACE = re.compile(r" (?=[+\w.]+=)")
#: How solvers read an option that may be absent.
GETS = ("options.get", "solver.get", "self.cfg.solver.get", "cfg.solver.get")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("+new.key=1", "unknown key 'new.key'"),
        ("++new=1", "unknown key 'new'"),
        ("+optim.lrr=1", "did you mean 'optim.lr'"),
        ("+optim.x={lr: 1}", "unknown key 'optim.x.lr'"),
        ("++optim.lr=abc", "a number"),
        ("++optim.epochs=1.5", "a whole number of at least 0 is expected"),
        ("+wandb.x=1", "unknown key 'wandb.x'"),
        ("+epochs=3", "did you mean 'optim.epochs'"),
        ("+distributed=true", "dora run -d"),
        ("+dset.segment.value=[label]", "did you mean 'dset.segment.values'"),
        ("+solver.permutation=9", "did you mean 'solver.permutations'"),
        ("solver.permutation=9", "unknown key 'solver.permutation'"),
        ("+solver.bands.x=1", "unknown key 'solver.bands.x'"),
        ("solver=supervised/motor +model.pol_s=3", "did you mean 'model.pool_s'"),
        ("solver=eegdiff/motor +solver.tune=head", "unknown key 'solver.tune'"),
        ("solver=clip/debug +solver.clip.tmn=1", "did you mean 'solver.clip.tmin_s'"),
        ("solver=labram/debug_pretrain +probe.evry=2", "did you mean 'probe.every'"),
    ],
)
def test_a_key_that_nothing_reads_is_refused(words: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        main.resolve(SPACE.split(words))
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("solver=supervised/motor +model.pool_s=2.8", "model.pool_s"),
        ("model.target=mine.Network +model.width=3", "model.width"),
        ("+solver.permutations=99", "solver.permutations"),
        ("solver.permutations=99", "solver.permutations"),
        ("solver=baseline/lda +solver.permutations=99", "solver.permutations"),
        ("solver=baseline/lda +solver.stretch_s=0.1", "solver.stretch_s"),
        ("solver=labram/debug +solver.adapter={rank: 4}", "solver.adapter.rank"),
        ("solver=clip/debug +solver.deep_mel.encoder.padding=3", "solver.deep_mel.encoder.padding"),
        ("solver=eegdiff/debug_text ++solver.text.width=32", "solver.text.width"),
        ("+dset.segment.values=[label]", "dset.segment.values"),
        ("+dset.segment_test.kind=word", "dset.segment_test.kind"),
        ("+dset.split.fixed.valid={session: ['0']}", "dset.split.fixed.valid"),
        ("++optim.lr=0.5", "optim.lr"),
    ],
)
def test_what_something_reads_is_added(words: str, key: str) -> None:
    value = main.resolve(SPACE.split(words)).cfg
    for part in key.split("."):
        assert part in value, key
        value = value[part]


def test_a_plus_makes_no_other_experiment() -> None:
    one, other = main.resolve(["solver.permutations=9"]), main.resolve(["+solver.permutations=9"])
    assert (one.sig, one.argv) == (other.sig, other.argv)


def test_every_option_of_a_solver_can_be_added() -> None:
    """An option that code reads by `.get` is named by a recipe or by `bm.solvers.OPTIONS`."""
    keys = main.resolver.added_keys
    assert keys is not None
    names = {key.rpartition(".")[2] for solver in keys.solvers() for key in keys.of(solver)}
    for file in sorted((ROOT / "bm/solvers").rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in GETS:
                first = call.args[0]
                assert not isinstance(first, ast.Constant) or first.value in names, (file, first)
    assert {*OPTIONS} <= {*keys.solvers()}
