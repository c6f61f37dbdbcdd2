"""Networks to compare with: small, known, trained from scratch."""
