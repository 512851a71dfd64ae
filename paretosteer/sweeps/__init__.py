"""From Hydra overrides to many cells, and where they run."""
