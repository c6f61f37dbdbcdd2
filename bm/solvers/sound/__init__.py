"""Sound generated from brain signals: chain of stages, latent diffusion, judgement, pages."""
