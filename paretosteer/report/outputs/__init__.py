"""Outputs of a report: leaderboard, text tables, report.json and the terminal."""
