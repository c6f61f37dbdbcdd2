"""Simulation of the local queue: real code on a virtual disk, clock and table of processes."""
