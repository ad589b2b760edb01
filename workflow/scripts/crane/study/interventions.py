"""What mask sets do to their neurons, in one form for each, and how tables call it.

Imported by the Snakefile on every node, so nothing heavy is imported here.
"""

from collections.abc import Mapping
from typing import Any

from crane.study.ordering import key_sorted

PUBLISHED = {"crane": "value", "lape": "gate", "lape_matched": "gate", "grad_lape": "gate", "ternary": "gate"}
"""Method -> the site that its authors edit: the gate in the released code of LAPE and of what builds on it."""


def canonical(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return an intervention in one form of those that do the same; empty for a mask.

    `zero` is the mask, `scale` by a factor the older key `scale`, whichever site they name, because both do the same to
    the neuron's output; `set` to the pooled mean at the value is the older `mean`. So equal interventions are equal
    params, and have equal answers in the store.
    """
    op, site = settings.get("op"), settings.get("site", "value")
    if op in ("zero", "scale"):
        factor = settings.get("factor", 0)
        return {"scale": factor} if factor else {}
    pooled = settings.get("source") == "mean" and settings.get("of") == "pooled"
    if op == "set" and site == "value" and pooled and settings.get("factor", 1) == 1:
        return {"mean": True}
    if op is not None:
        return key_sorted(settings)
    if "steer" in settings:
        steer = settings["steer"]
        return {"steer": key_sorted({**steer, "site": site_of(steer)})}
    return {key: value for key, value in settings.items() if value}


def site_of(settings: Mapping[str, Any]) -> str:
    """Return the site that an operation, or `steer`, changes; without a shift gate and value are the same."""
    ops = [settings[key]["op"] for key in ("deactivate", "activate") if key in settings] or [
        settings.get("op")
    ]
    shifts = any(op in ("set", "add") for op in ops)
    return settings.get("site", "value") if shifts else "value"


def source_of(settings: Mapping[str, Any]) -> str | None:
    """Return what neurons are set to, or what is added to them, if a canonical intervention measures it."""
    if "mean" in settings:
        return "mean"
    source: str | None = settings.get("steer", {}).get("activate", settings).get("source")
    return source


def needs_measured(settings: Mapping[str, Any]) -> bool:
    """Whether a canonical intervention needs mean or median values of the neurons."""
    return source_of(settings) is not None


def needs_medians(settings: Mapping[str, Any]) -> bool:
    """Whether it needs medians, for which histograms are accumulated."""
    return source_of(settings) == "median"


def needs_gates(settings: Mapping[str, Any]) -> bool:
    """Whether it needs the means of the gates, which are accumulated only then."""
    return needs_measured(settings) and changes_gates(settings)


def accumulators_of(settings: Mapping[str, Any]) -> frozenset[str]:
    """Return what a canonical intervention needs of the relevance run besides its moments."""
    needed = {"values": needs_gates(settings), "sample_histogram": needs_medians(settings)}
    return frozenset(name for name, needs in needed.items() if needs)


def changes_gates(settings: Mapping[str, Any]) -> bool:
    """Whether a canonical intervention changes gates in a way that no change of values equals."""
    return site_of(settings.get("steer", settings)) == "gate"


def described(settings: Mapping[str, Any], method: str) -> str:
    """Return what is done to the neurons, for the label of a mask set; empty for a mask and what had no name before.

    It names the site, and the site that the method's authors edit if that is another one: setting or adding a value is
    then not what they did.
    """
    if not settings.keys() & {"op", "steer"}:
        return ""
    if "op" in settings:
        site, done = site_of(settings), operation(settings)
    else:
        steer = settings["steer"]
        site, off, on = site_of(steer), steer["deactivate"], steer["activate"]
        done = f"of {'+'.join(off['languages'])} {operation(off)}, of {on['language']} {operation(on)}"
    published = PUBLISHED.get(method, site)
    return f"{site} {done}" + (f" (published: {published})" if published != site else "")


def operation(settings: Mapping[str, Any]) -> str:
    """Return an operation in words, such as `set to mean of own`."""
    if settings["op"] == "zero":
        return "zero"
    factor = format(settings.get("factor", 1), "g")
    if settings["op"] == "scale":
        return f"× {factor}"
    amount = format(settings["number"], "g") if "number" in settings else settings["source"]
    if "source" in settings:
        amount += f" of {settings.get('of', 'own')}"
    if factor != "1":
        amount = f"{factor} × {amount}"
    return f"{'set to' if settings['op'] == 'set' else '+'} {amount}"
