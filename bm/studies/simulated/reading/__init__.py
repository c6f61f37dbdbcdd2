"""Mode `reading`: people who read sentences, with their fixations."""
