"""Policies that take a preference: controls, banks and what they have in common."""
