"""code_version follows imports, and neither scripts nor library read the configuration behind Snakemake's back."""

import ast
import shutil
import symtable
from pathlib import Path

import pytest
from crane.provenance import code_version as provenance

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
SOURCES = sorted(SCRIPTS.rglob("*.py"))


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Return a copy of the scripts that `code_version` looks at, with a script `probe.py` that imports a module."""
    scripts = tmp_path / "workflow" / "scripts"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "probe.py").write_text("def main(job):\n    from crane.selection import rules\n")
    (scripts.parent / "task.yaml").write_text("task: a\n")
    monkeypatch.setattr(provenance, "SCRIPTS", scripts)
    provenance._reachable.cache_clear()
    yield scripts
    provenance._reachable.cache_clear()


def version(*data):
    provenance._reachable.cache_clear()
    return provenance.code_version("probe.py", *data)


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
    monkeypatch.setattr(provenance, "SCRIPTS", twin)
    assert version() == copy


def test_a_missing_script_or_data_file_is_an_error(copied):
    with pytest.raises(FileNotFoundError):
        provenance.code_version("nothing.py")
    with pytest.raises(FileNotFoundError):
        version("nothing.yaml")


def test_library_versions():
    found = provenance.library_versions()
    assert {"torch", "transformers", "lxt", "numpy"} <= found.keys()
    assert set(found) <= set(provenance.PACKAGES)


# Sources ------------------------------------------------------------------------------------------------


def free_names(table):
    """Yield the global names that a scope or one inside it uses."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module"):
            yield symbol.get_name()
    for child in table.get_children():
        yield from free_names(child)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(SCRIPTS).as_posix())
def test_no_source_reads_the_config_through_snakemake(path):
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr == "config" and isinstance(node.value, ast.Name):
            assert node.value.id not in ("snakemake", "job"), f"{path}, line {node.lineno}"
    if SCRIPTS / "crane" in path.parents:
        assert "snakemake" not in free_names(symtable.symtable(text, str(path), "exec"))


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.py")), ids=lambda p: p.name)
def test_scripts_run_only_under_their_guard(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    for node in tree.body:
        guard = isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
        if not guard:
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            if not isinstance(node, ast.FunctionDef):
                assert "snakemake" not in names, f"{path}, line {node.lineno}"


def test_a_module_can_be_left_out(copied):
    before, without = version(), provenance.code_version("probe.py", without="crane/neurons/neuron_set.py")
    append(copied / "crane" / "neurons" / "neuron_set.py")
    assert version() != before
    assert provenance.code_version("probe.py", without="crane/neurons/neuron_set.py") == without
    append(copied / "crane" / "selection" / "rules.py")
    assert provenance.code_version("probe.py", without="crane/neurons/neuron_set.py") != without
