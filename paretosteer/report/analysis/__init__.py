"""Analysis of recorded cells: tables, metrics, intervals and comparisons."""
