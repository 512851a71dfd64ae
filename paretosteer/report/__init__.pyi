from .outputs.comparison_files import write_comparison as write_comparison
from .outputs.console import print_comparison as print_comparison
from .outputs.console import print_leaderboard as print_leaderboard
from .report_folder import Report as Report
from .write import write_report as write_report
