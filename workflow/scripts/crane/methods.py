"""The methods that choose neurons by what was measured on the texts: the library's own, and those of other packages.

A method is a module that scores neurons and a pydantic model of its settings. The module has two functions:

* `columns(settings)` names the columns of the tables of statistics that it reads, besides language, layer and neuron;
* `scores(table, languages, settings)` returns float64 `[L, K, I]`, higher for neurons that are more the language's,
  NaN where undefined.

`crane.selection.choose` describes what it may have besides. Another package names its module as an entry point of the
group `crane.methods`; the module then holds the model of the settings, too, as `MaskSet`.

Standard library only: the Snakefile imports this module on every node.
"""

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from crane.errors import CraneError

GROUP = "crane.methods"
"""Group of the entry points."""
SETTINGS = "MaskSet"
"""Name of the model of the settings in another package's module."""
OTHERS = ("random", "all", "import")
"""Methods whose neurons are not chosen by statistics."""


class MethodError(CraneError, ImportError):
    """A method of another package cannot be used."""


class Method(NamedTuple):
    """Where a method is."""

    module: str
    """Dotted name of the module that scores."""
    settings: tuple[str, str]
    """Dotted name of a module, and the name of the settings' model in it."""
    external: bool = False
    """Whether it is another package's."""


def _own(module: str, settings: str) -> Method:
    where, model = settings.split(":")
    return Method(f"crane.selection.methods.{module}", (f"crane.study.schema.{where}", model))


BUILT_IN = {
    "crane": _own("statistic", "mask_sets:CraneMaskSet"),
    "dispersion": _own("statistic", "mask_sets:DispersionMaskSet"),
    "activation": _own("activation", "mask_sets:ActivationMaskSet"),
    "attribution": _own("attribution", "method_sets:AttributionMaskSet"),
    "plnd": _own("plnd", "method_sets:PlndMaskSet"),
    "ternary": _own("ternary", "mask_sets:TernaryMaskSet"),
    "lape": _own("lape", "mask_sets:LapeMaskSet"),
    "lape_matched": _own("lape", "mask_sets:LapeMatchedMaskSet"),
    "grad_lape": _own("grad_lape", "method_sets:GradLapeMaskSet"),
    "average_precision": _own("average_precision", "method_sets:AveragePrecisionMaskSet"),
    "overlap": _own("overlap", "method_sets:OverlapMaskSet"),
}
"""The library's own methods by name."""


@cache
def every() -> dict[str, Method]:
    """Return all methods by name: the library's own, then those of other packages, in alphabetical order.

    Raises:
        MethodError: two packages have a method of one name, or one has the name of the library's own.
    """
    found = dict(BUILT_IN)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.name in found or point.name in OTHERS:
            raise MethodError(
                f"the entry point {_described(point)} has the name of another method; rename or uninstall one"
            )
        found[point.name] = Method(point.value, (point.value, SETTINGS), external=True)
    return found


def _described(point: EntryPoint) -> str:
    package = f" of {point.dist.name}" if point.dist else ""
    return f"{point.name!r}{package} ({GROUP})"


def scoring(name: str) -> ModuleType:
    """Return the module that scores for a method.

    Raises:
        MethodError: another package's module cannot be imported, or lacks a function.
    """
    module = _imported(name, every()[name].module)
    for function in ("columns", "scores"):
        if not callable(getattr(module, function, None)) and not hasattr(module, "select"):
            raise MethodError(f"method {name!r}: {module.__name__} has no function {function!r}")
    return module


def settings_model(name: str) -> Any:
    """Return the pydantic model of a method's settings.

    Raises:
        MethodError: another package's module cannot be imported, or has no model of this method.
    """
    where, model = every()[name].settings
    found = getattr(_imported(name, where), model, None)
    fields = getattr(found, "model_fields", {})
    if "method" not in fields or getattr(fields["method"].annotation, "__args__", ()) != (name,):
        raise MethodError(
            f"method {name!r}: {where} needs a model {model} with the field `method: Literal[{name!r}]`"
        )
    return found


def _imported(name: str, module: str) -> ModuleType:
    try:
        return import_module(module)
    except Exception as error:
        if not every()[name].external:
            raise
        raise MethodError(
            f"method {name!r}: its module {module} cannot be imported ({type(error).__name__}: {error}); "
            "repair or uninstall its package"
        ) from error


def external_sources(names: Iterable[str]) -> dict[str, Path]:
    """Return the source files of the packages from which methods come, by their path below the package.

    All of a package's files count, because what a method imports from it could change its results. The library's own
    methods have none.

    Args:
        names: of methods.

    Raises:
        MethodError: a package's source cannot be found.
    """
    found: dict[str, Path] = {}
    for name in names:
        method = every().get(name)
        if method is None or not method.external:
            continue
        top = method.module.partition(".")[0]
        spec = find_spec(top)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        files = [(Path(folder), path) for folder in folders for path in Path(folder).rglob("*.py")]
        if spec and not folders and spec.origin:
            files = [(Path(spec.origin).parent, Path(spec.origin))]
        if not files:
            raise MethodError(f"method {name!r}: the source of {top} cannot be found")
        found |= {f"{top}/{path.relative_to(folder).as_posix()}": path for folder, path in files}
    return found
