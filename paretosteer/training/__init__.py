"""Training loop and what it learns from."""
