"""Transfer of a saved encoder: strategies, few shots, people and sessions left out, few channels."""
