"""Mode `motor`: four-class motor imagery."""
