"""Demonstration grids on simulated data."""
