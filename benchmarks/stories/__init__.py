"""Benchmark `stories`: continue the opening of a children's story."""
