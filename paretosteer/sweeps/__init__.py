"""Compose the cells of a sweep with Hydra, and run them through a launcher."""
