"""Grids of eeg2speech: sound generated from brain signals."""
