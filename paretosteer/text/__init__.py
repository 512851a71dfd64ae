"""The text world: language models, conditioned policies, sampling."""
