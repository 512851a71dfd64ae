"""Benchmark `ranking`: relevance against other properties of documents, on real queries."""
