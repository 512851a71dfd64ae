"""The process and its machine: devices, memory, time limits, terminal."""
