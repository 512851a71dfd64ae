"""A trained cell in use."""
