"""What a process runs on: devices, memory, time, terminal."""
