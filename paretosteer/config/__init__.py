"""Checked configuration of a cell."""
