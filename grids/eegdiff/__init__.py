"""Diffusion of EEG: published scale, real recordings on a workstation, simulated for a try."""
