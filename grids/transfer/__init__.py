"""Transfer of a saved encoder: strategies, few shots, units left out, few channels."""
