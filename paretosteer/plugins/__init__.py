"""Plug-ins from other packages and from single files: discovery and checks."""
