"""Brain signals against features of speech: decoding by contrast, encoding by regression."""
