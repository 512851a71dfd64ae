"""Benchmark `bandit`: a contextual bandit with a known Pareto front."""
