"""Engines that write responses in place of our own loop, behind `paretosteer.text.sampler`."""
