"""Benchmark `ranking`: learning to rank with several objectives per query."""
