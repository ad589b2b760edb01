"""The version of the code follows imports, in every spelling."""

import shutil

import pytest
from crane.provenance import code_version
from support.places import SCRIPTS


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Return a copy of the scripts that `code_version` looks at, with a script `probe.py` that imports a module."""
    scripts = tmp_path / "workflow" / "scripts"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "probe.py").write_text("def main(job):\n    from crane.selection import rules\n")
    (scripts.parent / "task.yaml").write_text("task: a\n")
    monkeypatch.setattr(code_version, "SCRIPTS", scripts)
    code_version.reachable.cache_clear()
    yield scripts
    code_version.reachable.cache_clear()


def version(*data):
    code_version.reachable.cache_clear()
    return code_version.code_version("probe.py", *data)


def append(path, text="\n# changed\n"):
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize(
    "module",
    [
        "selection/rules",
        "selection/ranking",
        "selection/__init__",
        "neurons/neuron_set",
        "neurons/__init__",
        "models/architectures",
        "artefacts",
        "errors",
        "__init__",
    ],
)
def test_changes_with_every_module_that_is_imported_directly_or_not(copied, module):
    before = version()
    append(copied / "crane" / f"{module}.py")
    assert version() != before


@pytest.mark.parametrize(
    "module",
    ["figures/drops", "tables/paper", "judging/store", "evaluation/hf", "demo/world", "selection/lape"],
)
def test_does_not_change_with_an_unrelated_module(copied, module):
    before = version()
    append(copied / "crane" / f"{module}.py")
    (copied / "other.py").write_text("from crane.selection import rules\n")
    assert version() == before


def test_changes_with_the_script_and_with_its_data(copied):
    before, with_data = version(), version("task.yaml")
    assert before != with_data
    append(copied.parent / "task.yaml")
    assert version() == before
    assert version("task.yaml") != with_data
    append(copied / "probe.py")
    assert version() != before


@pytest.mark.parametrize(
    "line",
    [
        "import crane.figures.drops",
        "from crane.figures import drops",
        "from crane.figures.drops import Path",
        "def f():\n    from crane.figures import drops as drawn\n",
        "from crane.figures import style, drops",
    ],
)
def test_a_new_import_counts_in_every_spelling(copied, line):
    append(copied / "crane" / "selection" / "rules.py", f"\n{line}\n")
    before = version()
    append(copied / "crane" / "figures" / "drops.py")
    assert version() != before


def test_an_imported_package_counts_by_its_init(copied):
    append(copied / "crane" / "selection" / "rules.py", "\nfrom crane import figures\n")
    before = version()
    append(copied / "crane" / "figures" / "__init__.py")
    assert version() != before


def test_subpackages_are_followed(copied):
    (copied / "probe.py").write_text("from crane.evaluation.hf import HuggingFaceEngine\n")
    for module in ("evaluation/__init__", "evaluation/hf", "evaluation/engine", "neurons/interventions"):
        before = version()
        append(copied / "crane" / f"{module}.py")
        assert version() != before, module


def test_the_same_in_another_folder(copied, monkeypatch):
    copy = version()
    shutil.copy(copied / "probe.py", copied.parent / "probe.py")
    twin = copied.parents[1] / "twin" / "scripts"
    shutil.copytree(copied, twin)
    monkeypatch.setattr(code_version, "SCRIPTS", twin)
    assert version() == copy


def test_a_missing_script_or_data_file_is_an_error(copied):
    with pytest.raises(FileNotFoundError):
        code_version.code_version("nothing.py")
    with pytest.raises(FileNotFoundError):
        version("nothing.yaml")


def test_the_versions_of_the_installed_libraries_are_listed():
    found = code_version.library_versions()
    assert {"torch", "transformers", "lxt", "numpy"} <= found.keys()
    assert set(found) <= set(code_version.PACKAGES)


def test_a_module_can_be_left_out(copied):
    before, without = (
        version(),
        code_version.code_version("probe.py", without=["crane/neurons/neuron_set.py"]),
    )
    append(copied / "crane" / "neurons" / "neuron_set.py")
    assert version() != before
    assert code_version.code_version("probe.py", without=["crane/neurons/neuron_set.py"]) == without
    append(copied / "crane" / "selection" / "rules.py")
    assert code_version.code_version("probe.py", without=["crane/neurons/neuron_set.py"]) != without


# Functions that a script is given by name ------------------------------------------------------------------


DRAWN = "crane.figures.drops.drop_heatmap"


def of_figure(name=DRAWN):
    code_version.reachable.cache_clear()
    return code_version.code_version("plot.py", named=name)


@pytest.mark.parametrize("module", ["figures/drops", "figures/style", "results/frames", "results/cells"])
def test_changes_with_the_module_of_the_named_function_and_what_that_imports(copied, module):
    if module == "results/cells":  # which the module does not import yet
        before = of_figure()
        append(copied / "crane" / "figures" / "drops.py", "\nfrom crane.results.cells import number\n")
        assert of_figure() != before
    before = of_figure()
    append(copied / "crane" / f"{module}.py")
    assert of_figure() != before


@pytest.mark.parametrize(
    "module", ["figures/transfer", "figures/stability", "tables/paper", "selection/rules"]
)
def test_does_not_change_with_the_modules_of_other_figures_and_tables(copied, module):
    before = of_figure()
    append(copied / "crane" / f"{module}.py")
    assert of_figure() == before


def test_the_script_itself_and_what_it_imports_count_for_every_named_function(copied):
    functions = [DRAWN, "crane.figures.transfer.transfer", ""]
    for path in ("plot.py", "crane/results/arguments.py", "crane/artefacts.py"):
        before = [of_figure(name) for name in functions]
        assert len(set(before)) == 3, "each has a hash of its own"
        append(copied / path)
        assert all(one != other for one, other in zip(before, map(of_figure, functions), strict=True)), path


def test_functions_of_one_module_share_their_code(copied):
    assert of_figure("crane.figures.stability.overlap_figure") == of_figure(
        "crane.figures.stability.mask_layers"
    )
