"""Small published networks to compare with, trained from scratch."""
