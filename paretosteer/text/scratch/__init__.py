"""Small language models trained from scratch, for use without the hub."""
