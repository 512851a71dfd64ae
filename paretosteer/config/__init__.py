"""What a cell is configured with, checked."""
