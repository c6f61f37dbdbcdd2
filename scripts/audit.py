"""`python -m scripts.audit sig=ab12cd34 | dset=simulated_motor`: did training see the test?

Fails (exit code 1) when two splits share recording time, a sentence or audio, and, for an
experiment, when its test windows were training windows of an upstream (//sig/...) stage.
Wrong use is exit code 2.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bm.errors import UserError

from ._arguments import main_of

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from bm.data.audit import Finding
    from bm.data.dataset import Dataset

SHOWN = 20  # findings printed one by one


def windows(cfg: DictConfig) -> tuple[Dataset, pd.DataFrame, list[Finding]]:
    """Return the data set of a configuration, its table with `length_s`, and findings within it."""
    from bm.data.audit import audit_table
    from bm.data.window_rule import WindowRule
    from bm.solvers.build_data import windows_of
    from bm.xp.resolve import to_plain

    dataset = windows_of(cfg)
    rates = [signal.rate_hz for signal in dataset.signals]
    lengths = dataset.table["length"] / dataset.table["recording"].map(dict(enumerate(rates)))
    table = dataset.table.assign(length_s=lengths)
    # Windows that the rule lets overlap share that much by design.
    tolerance = WindowRule.of(to_plain(cfg.dset)["segment"]).shared_samples
    return dataset, table, audit_table(table, [s.events for s in dataset.signals], tolerance)


def upstream(cfg: DictConfig) -> list[tuple[str, DictConfig]]:
    """Return (signature, configuration) of every stage that an experiment builds on."""
    from bm.eval.experiments import of_sigs
    from bm.train import main
    from bm.xp.address import addresses, signature_of
    from bm.xp.resolve import to_plain

    stages: dict[str, DictConfig] = {}
    waiting = [cfg]
    while waiting:
        for address in addresses(to_plain(waiting.pop())):
            sig = signature_of(address)
            if sig is not None and sig not in stages:
                stages[sig] = of_sigs([sig], main)[0].config
                waiting.append(stages[sig])
    return list(stages.items())


def configuration(sig: str | None, dset: str | None) -> DictConfig:
    """Return the configuration of an experiment, or of the base with another data set."""
    from bm.eval.experiments import of_sigs
    from bm.train import main

    if (sig is None) == (dset is None):
        raise UserError("audit what? use sig=ab12cd34 or dset=simulated_motor")
    return main.get_xp([f"dset={dset}"]).cfg if sig is None else of_sigs([sig], main)[0].config


def command(sig: str | None = None, dset: str | None = None) -> int:
    """Audit one experiment or data set; print what is shared."""
    from bm.data.audit import audit_upstream

    cfg = configuration(sig, dset)
    dataset, table, findings = windows(cfg)
    counts = ", ".join(f"{n} {name}" for name, n in table["split"].value_counts().items())
    print(f"{len(dataset.signals)} recordings, windows: {counts}; "
          f"{table.attrs.get('left_out', 0)} left out")  # fmt: skip
    stages = upstream(cfg)
    # The test of this experiment against the training of each stage before: none may see it.
    for name, config in stages:
        findings += audit_upstream(table, windows(config)[1], (f"train of //sig/{name}", "test"))
    for finding in findings[:SHOWN]:
        print(f"LEAK {finding}")
    if len(findings) > SHOWN:
        print(f"... and {len(findings) - SHOWN} more")
    where = f" and {len(stages)} upstream stages" if stages else ""
    print(f"{len(findings)} overlaps found in the splits{where}" if findings
          else f"clean: the splits{where} share neither recording time nor stimuli")  # fmt: skip
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main_of(command))
