"""paretosteer: benchmark and evaluation harness for controllable multi-objective generation."""

__version__ = "0.1.0"
