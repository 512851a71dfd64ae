"""My benchmark conforms."""

from paretosteer.conformance import check_benchmark, faults

from my_benchmark import MyBenchmark


def test_it_conforms() -> None:
    assert not faults(check_benchmark(MyBenchmark))
