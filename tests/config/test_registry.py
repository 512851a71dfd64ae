import pytest

from paretosteer.errors import UsageError
from paretosteer.plugins import registry


def test_built_in_plugins_are_entry_points() -> None:
    assert "clp" in registry.names("methods")
    built_in = {"bandit", "helpful_assistant", "preferences", "ranking", "stories", "xsum"}
    assert built_in <= set(registry.names("benchmarks"))


@pytest.mark.parametrize("group", ["methods", "benchmarks", "feedback", "conditionings"])
def test_what_is_built_in_passes_the_checks_of_plug_ins(group: registry.Group) -> None:
    assert [name for name, _ in registry.working(group, registry.names(group))] == (
        registry.names(group)
    )


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="'clpp' is not a registered method; did you mean 'clp'"):
        registry.load("methods", "clpp")
