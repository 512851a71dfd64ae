"""Run first in every Python process that a test starts, since the folder is on PYTHONPATH."""

from no_network import guard

guard()
