"""`python -m scripts.audit sig=ab12cd34|dset=NAME [null=true]`: did training see the test?

Fails (exit code 1) when two splits share recording time, a sentence or audio; for an experiment,
also when its test windows were training or validation windows of a model that it begins from
(`init_from`, `tokenizer`, ...: //sig/, //file/ or //hub/), and when such a model
does not say what it was trained on: that is "not checked", never clean. Recordings are compared by
content, not by name. `null=true` compares the score of a plain decoder under the chosen split, a
grouped one, and one of windows at random. Wrong use is exit code 2.

  python -m scripts.audit sig=ab12cd34
  python -m scripts.audit dset=simulated_motor null=true
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bm.errors import UserError

from ._arguments import main_of

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from bm.data.audit import Finding
    from bm.data.dataset import Dataset
    from bm.data.seen import Seen

SHOWN = 20  # findings printed one by one


def within(cfg: DictConfig, dataset: Dataset) -> list[Finding]:
    """Return what the splits of one data set share."""
    from bm.data.audit import audit_table
    from bm.data.window_rule import WindowRule
    from bm.xp.resolve import to_plain

    # Windows that the rule lets overlap share that much by design.
    tolerance = WindowRule.of(to_plain(cfg.dset)["segment"]).shared_samples
    return audit_table(dataset.windows(), [s.events for s in dataset.signals], tolerance)


def seen_of(address: str, folder: Path) -> Seen | None:
    """Return what the model of an address has seen; None when nothing says it.

    An experiment of before models carried a list is known by its configuration.

    Args:
        address: //sig/..., //file/... or //hub/...
        folder: of all experiments.
    """
    from bm.data.audit import stimuli_of
    from bm.data.seen import Seen, seen_by
    from bm.eval.experiments import of_sigs
    from bm.solvers.build_data import windows_of
    from bm.train import main
    from bm.xp.address import addresses, resolve, signature_of
    from bm.xp.resolve import to_plain

    try:
        history = Seen.read(resolve(address, folder))
    except UserError:
        history = None
    sig = signature_of(address)
    if history is not None or sig is None:
        return history
    cfg = of_sigs([sig], main)[0].config
    dataset = windows_of(cfg)
    stimuli = stimuli_of(dataset.windows(), [signal.events for signal in dataset.signals])
    history = seen_by(dataset, stimuli)
    for before in addresses(to_plain(cfg)):
        history = history.joined(seen_of(before, folder) or Seen(unknown=[before]), before)
    return history


def configuration(sig: str | None, dset: str | None) -> DictConfig:
    """Return the configuration of an experiment, or of the base with another data set."""
    from bm.eval.experiments import of_sigs
    from bm.train import main

    if (sig is None) == (dset is None):
        raise UserError("audit what? use sig=ab12cd34 or dset=simulated_motor")
    return main.get_xp([f"dset={dset}"]).cfg if sig is None else of_sigs([sig], main)[0].config


def command(sig: str | None = None, dset: str | None = None, null: bool = False) -> int:
    """Audit one experiment or data set; print what is shared."""
    from bm.data.audit import audit_seen, shared_people
    from bm.solvers.build_data import windows_of
    from bm.train import main
    from bm.xp.address import addresses
    from bm.xp.resolve import to_plain

    cfg = configuration(sig, dset)
    dataset = windows_of(cfg)
    findings, unknown, people = within(cfg, dataset), [], set()
    counts = ", ".join(f"{n} {name}" for name, n in dataset.table["split"].value_counts().items())
    print(f"{len(dataset.signals)} recordings, windows: {counts}; "
          f"{dataset.table.attrs.get('left_out', 0)} left out")  # fmt: skip
    # The test of this experiment against the training of each model before: none may have seen it.
    stages = list(dict.fromkeys(addresses(to_plain(cfg))))
    for address in stages:
        history = seen_of(address, Path(main.dora.dir) / main.dora.xps)
        if history is None:
            unknown.append(address)
            continue
        unknown += history.unknown
        findings += audit_seen(dataset, history, address)
        people |= shared_people(dataset, history)
    report(findings, unknown, people, len(stages))
    if null:
        from bm.eval.split_null import score_splits

        print("\n".join(score_splits(dataset).lines()))
    return 1 if findings or unknown else 0


def report(findings: list[Finding], unknown: list[str], people: set[str], stages: int) -> None:
    """Print what an audit has found; the last line is the verdict."""
    for finding in findings[:SHOWN]:
        print(f"LEAK {finding}")
    if len(findings) > SHOWN:
        print(f"... and {len(findings) - SHOWN} more")
    if people:
        names = ", ".join(sorted(people)[:5]) + (", ..." if len(people) > 5 else "")
        print(f"{len(people)} people of the test are known to a model before: {names}")
    for address in unknown:
        print(f"not checked: {address} does not say what it was trained on")
    where = f" and {stages} upstream stages" if stages else ""
    if findings:
        print(f"{len(findings)} overlaps found in the splits{where}")
    elif unknown:
        print(f"not checked: {len(unknown)} of the models before; nothing else is shared")
    else:
        print(f"clean: the splits{where} share neither recording time nor stimuli")


if __name__ == "__main__":
    sys.exit(main_of(command))
