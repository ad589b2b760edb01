"""Scripts run only under their guard; no source reads the configuration through Snakemake or cites what is gone."""

import ast
import re
import symtable
from pkgutil import resolve_name

import pytest
from support.places import SCRIPTS

SOURCES = sorted(SCRIPTS.rglob("*.py"))


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


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(SCRIPTS).as_posix())
def test_names_of_the_library_that_a_source_cites_exist(path):
    for name in set(re.findall(r"`(crane(?:\.\w+)+)", path.read_text(encoding="utf-8"))):
        assert resolve_name(name) is not None
