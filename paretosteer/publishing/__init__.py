"""Finished cells as a folder for a Hugging Face dataset or a web server."""
