"""Files that survive crashes, and files that are not trusted."""
