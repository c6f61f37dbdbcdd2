"""brainmagick: encoders of brain signals for decoding speech, and of mel spectrograms."""
