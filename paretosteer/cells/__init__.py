"""Cells: one configuration with its seed, its stages, its record."""
