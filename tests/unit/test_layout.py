"""The tests mirror the library, and what they share is in tests/support or a fixture."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.places import ROOT, SCRIPTS

TESTS = ROOT / "tests"
UNIT = TESTS / "unit"
MODULES = sorted(TESTS.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_no_module_imports_a_test_module_or_a_conftest(path: Path) -> None:
    others = {other.stem for other in MODULES if other.name.startswith("test_")} | {"conftest"}
    assert [name for name in imported(path) if others & set(name.split("."))] == []


def test_each_folder_is_a_package_of_the_library() -> None:
    folders = {path.parent.relative_to(UNIT) for path in MODULES if UNIT in path.parents}
    assert len(folders) > 10
    for folder in folders:
        assert (SCRIPTS / "crane" / folder / "__init__.py").exists(), folder


def test_each_test_module_bears_the_name_of_a_module_of_its_package() -> None:
    for path in UNIT.rglob("*/test_*.py"):
        package = SCRIPTS / "crane" / path.parent.relative_to(UNIT)
        # `test_benchmarks_offline` is about `benchmarks`, too.
        names = [module.stem for module in package.iterdir()]
        assert any(f"{path.stem}_".startswith(f"test_{name}_") for name in names), path
