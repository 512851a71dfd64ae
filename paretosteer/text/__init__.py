"""Text: language models, conditioned policies, sampling."""
