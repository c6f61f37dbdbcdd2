"""LaBraM: its three stages at published scale, on real recordings of a workstation, for a try."""
