"""Figures in one style: waves, spectra, topographies, curves."""
