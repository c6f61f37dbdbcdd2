"""eeg2speech: sound generated from brain signals by latent diffusion."""
