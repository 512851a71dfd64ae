"""Training loop and kinds of feedback."""
