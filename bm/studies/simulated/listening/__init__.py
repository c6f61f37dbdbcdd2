"""Mode `listening`: people who listen to stories in synthetic speech."""
