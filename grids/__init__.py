"""Grids: one module per published table or question."""
