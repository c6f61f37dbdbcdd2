"""bm: five published brain-signal systems behind one command line."""

__version__ = "0.1.0"
