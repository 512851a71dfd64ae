"""A folder named like the hub: stand-in models and small data sets in their published forms."""

import pytest
from paper_rows import write_data
from paper_standins import MODELS, save_model
from test_papers_tasks import overrides

from paretosteer.cells.plan import plan_cell
from paretosteer.config.setting import Setting
from paretosteer.sweeps.compose import compose_cell


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    for name in MODELS:
        (folder / name).mkdir(parents=True)
        save_model(name, folder / name)
    write_data(folder)
    return folder


@pytest.fixture
def make_task(hub):
    """Builds a task on the stand-ins, nothing trained."""

    def make(task, *further):
        plan = plan_cell(compose_cell([*overrides(hub, task), *further]))
        setting = Setting.of(plan.config, plan.model_key, lambda line: None)
        return plan.benchmark_class(plan.benchmark_options, setting)

    return make
