"""From recorded cells to the figures of every table."""
