"""What Python runs first in every process that a test starts: the folder is on PYTHONPATH."""

from no_network import guard

guard()
