"""A module that a saved folder names; nobody imports it."""

from torch import nn


class Network(nn.Module):
    """A network whose import would run code."""
