"""Brain-Diffusion: denoisers of EEG waves and maps, their conditions, and sampling."""
