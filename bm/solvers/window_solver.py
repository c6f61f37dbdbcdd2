"""WindowSolver: what most families share, one configured network on the windows of `dset`."""

from __future__ import annotations

from torch import nn

from ..data.dataset import Dataset
from ..engine.solver import Solver
from ..facts import DataFacts
from .build_data import windows_of
from .model_inputs import check_inputs


class WindowSolver(Solver):
    """Base of the families that give windows of recordings to one configured network."""

    def build_data(self) -> Dataset:
        """Build the windows that `dset` describes, with their features."""
        return windows_of(self.cfg, self.folder_of)

    def build_model(self, facts: DataFacts) -> nn.Module:
        """Build the configured network; refuse data that it would take for something else."""
        model = super().build_model(facts)
        check_inputs(model, self.data, self.cfg)
        return model
