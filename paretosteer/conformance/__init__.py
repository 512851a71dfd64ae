"""Does a method or a benchmark keep the promises that the rest of the package builds on?

    from paretosteer.conformance import check_benchmark, check_method, faults

    assert not faults(check_method("rewarded_soup", "method.rank=4"))

Each check is a small function whose docstring says what holds when it finds nothing.
"""

from paretosteer.conformance.benchmark import check_benchmark
from paretosteer.conformance.finding import Finding, faults
from paretosteer.conformance.method import check_method

__all__ = ["Finding", "check_benchmark", "check_method", "faults"]
