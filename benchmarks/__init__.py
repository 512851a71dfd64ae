"""Benchmarks: each gives prompts, a start model, objectives, feedback data and scores."""
