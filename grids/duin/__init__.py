"""Grids of Du-IN."""
