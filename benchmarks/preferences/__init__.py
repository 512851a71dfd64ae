"""Benchmark `preferences`: objectives defined by human preference pairs."""
