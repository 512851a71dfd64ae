from pathlib import Path

import pytest
from report_cells import write_sweep

from paretosteer.report import Report, write_report


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="session")
def report(sweep: Path) -> Report:
    return write_report([sweep])
