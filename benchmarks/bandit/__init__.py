"""Benchmark `bandit`: a contextual bandit whose best front is known exactly."""
