"""Policies that take a preference: controls, banks and their common parts."""
