"""The registry of methods: the library's own, and those of other packages found by an entry point."""

import sys

import numpy as np
import pytest
from crane import methods
from crane.methods import BUILT_IN, MethodError
from crane.provenance.code_version import code_version
from crane.selection.choose import choose, columns
from crane.study.schema.mask_sets import MaskSetSettings
from pydantic import ValidationError
from support.neurons import LANGUAGES, flags
from support.plugins import MODULE, NAME, example, install
from support.statistics import statistics


@pytest.fixture
def site_packages(tmp_path, monkeypatch):
    """Return a folder of installed packages; methods are looked for anew before and after."""
    monkeypatch.syspath_prepend(str(tmp_path))
    methods.every.cache_clear()
    yield tmp_path
    methods.every.cache_clear()
    sys.modules.pop(MODULE, None)


def test_the_librarys_own_methods_are_found_as_others_are():
    assert list(methods.every())[: len(BUILT_IN)] == list(BUILT_IN)
    for name in BUILT_IN:
        assert issubclass(methods.settings_model(name), MaskSetSettings)
        assert methods.scoring(name).__name__ == BUILT_IN[name].module


def test_the_smallest_method_of_the_documentation_ranks_neurons(site_packages):
    assert len(example().splitlines()) <= 30
    install(site_packages, example())
    settings = {"label": "L", "method": NAME, "power": 1.0, "budget": {"count": 4}}
    model = methods.settings_model(NAME).model_validate(settings)
    assert model.accumulators() == {"energy"} and list(model.all_problems()) == []
    energy = np.random.default_rng(0).gamma(2.0, size=(3, 2, 20))
    energy[:, 0, 3] = 0
    assert columns(settings) == ["language", "layer", "neuron", "energy"]
    chosen, facts = choose(statistics(energy=energy), settings, LANGUAGES)
    found = flags(chosen, energy.shape)
    for row in range(3):
        others = np.delete(energy, row, 0).mean(0)
        ratio = np.where(others > 0, energy[row] / np.where(others > 0, others, 1), -1)
        assert set(np.flatnonzero(found[row])) == set(np.argsort(-ratio, axis=None)[:4])
    assert set(facts["undefined"].values()) == {1} and facts["asked"] == dict.fromkeys(LANGUAGES, 4)


def test_its_settings_are_checked_like_the_librarys_own(site_packages):
    install(site_packages, example())
    model = methods.settings_model(NAME)
    for wrong in ({"power": 0}, {"power": 1.0, "invented": 1}, {}):
        with pytest.raises(ValidationError):
            model.model_validate({"label": "L", "method": NAME, **wrong})
    (problem,) = model.model_validate({"label": "L", "method": NAME, "power": 1.0}).all_problems()
    assert problem.key == "budget" and "ranks all neurons" in problem.text


def test_its_source_decides_reruns(site_packages):
    path = install(site_packages, example())
    script = "select_neurons.py"
    before, others = code_version(script, methods=[NAME]), code_version(script, methods=["plnd"])
    path.write_text(path.read_text() + "\n# edited\n")
    assert code_version(script, methods=[NAME]) != before
    assert code_version(script, methods=["plnd"]) == others != code_version(script, methods=["lape"])
    assert code_version(script, methods=["all"]) == code_version(script)


def test_all_files_of_its_package_count(site_packages):
    package = site_packages / "crane_package"
    (package / "inner").mkdir(parents=True)
    for name in ("__init__", "method", "inner/formula"):
        (package / f"{name}.py").write_text("")
    install(site_packages, "", name="packed", module="unused")
    entry = site_packages / "unused-1.0.dist-info" / "entry_points.txt"
    entry.write_text("[crane.methods]\npacked = crane_package.method\n")
    found = methods.external_sources(["packed", "crane"])
    assert sorted(found) == [f"crane_package/{name}.py" for name in ("__init__", "inner/formula", "method")]


@pytest.mark.parametrize("name", ["crane", "random"])
def test_a_name_that_is_taken_is_refused(site_packages, name):
    install(site_packages, example(), name=name)
    with pytest.raises(MethodError, match=f"'{name}' of crane_loudest .* name of another method"):
        methods.every()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module", "cannot be imported .*no_such_module.*repair or uninstall"),
        ("columns = scores = print", "needs a model MaskSet with the field"),
        (example().replace('"loudest"', '"quietest"'), "needs a model MaskSet with the field"),
    ],
)
def test_a_module_that_is_no_method_is_told_in_one_line(site_packages, source, said):
    install(site_packages, source)
    with pytest.raises(MethodError, match=said) as caught:
        methods.settings_model(NAME)
    assert "\n" not in str(caught.value)


def test_a_module_without_scores_is_told(site_packages):
    install(site_packages, example().replace("def scores", "def score"))
    with pytest.raises(MethodError, match="crane_loudest has no function 'scores'"):
        methods.scoring(NAME)
