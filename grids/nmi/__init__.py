"""Speech decoding from MEG and EEG at published scale (Défossez et al. 2023)."""
