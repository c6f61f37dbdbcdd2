"""Speech decoding on simulated and on real EEG that fits a workstation."""
