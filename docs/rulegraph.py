"""Condense Snakemake's graph of rules: `make rulegraph` (Graphviz text on standard output).

Rules made in a loop (one per job or group) become one node, and so do all tables and all figures.
"""

import re
import sys

TABLES, FIGURES = "tables (tabulate_*)", "figures (plot_*)"
NODES = {
    "attribute_relevance_": "attribute_relevance",
    "collect_answers_": "collect_answers",
    "draw_random_neurons_": "draw_random_neurons",
    "evaluate_masks_": "evaluate_masks",
    "plot_": FIGURES,
    "tabulate_": TABLES,
    "write_answers": TABLES,
}
"""Beginning of a rule's name -> node."""
LEFT_OUT = ("all", "record_provenance", "write_citation")
"""Rules that need nearly everything, or nothing."""
KEPT = {
    ("attribute_relevance", "measure_selection_null"),
    ("collect_answers", "score_masks"),
    ("render_prompts", "evaluate_masks"),
    ("sample_held_out", "evaluate_masks"),
    ("select_neurons", "evaluate_masks"),
    ("select_neurons", "measure_stability"),
}
"""Arrows that are drawn although a longer path connects their nodes, too: they are the main flow of data."""
LOOK = """\
  graph [nodesep=0.3, ranksep=0.35];
  node [shape=box, style="rounded,filled", fillcolor="#f4f6f8", color="#8a97a6", fontname=Helvetica, fontsize=11];
  edge [color="#66707c", arrowsize=0.7];
"""


def node(rule: str) -> str:
    """Return the node of a rule."""
    return next((name for beginning, name in NODES.items() if rule.startswith(beginning)), rule)


def condensed(text: str) -> str:
    """Return the graph of nodes, without arrows that longer paths replace."""
    rules = dict(re.findall(r'(\d+)\[label = "([^"]+)"', text))
    shown = {number: node(rule) for number, rule in rules.items() if rule not in LEFT_OUT}
    arrows = {
        (shown[one], shown[other])
        for one, other in re.findall(r"(\d+) -> (\d+)", text)
        if one in shown and other in shown and shown[one] != shown[other]
    }
    nodes = "".join(f'  "{name}";\n' for name in sorted(set(shown.values())))
    edges = "".join(f'  "{one}" -> "{other}";\n' for one, other in sorted(reduced(arrows)))
    return f"digraph rules {{\n{LOOK}{nodes}{edges}}}\n"


def reduced(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the arrows whose nodes no longer path connects, and those of `KEPT`."""
    after: dict[str, set[str]] = {}
    for one, other in arrows:
        after.setdefault(one, set()).add(other)

    def reachable(start: str) -> set[str]:
        steps = after.get(start, set())
        return steps.union(*map(reachable, steps))

    longer = {(one, end) for one, other in arrows for end in reachable(other)}
    return arrows - longer | arrows & KEPT


if __name__ == "__main__":
    sys.stdout.write(condensed(sys.stdin.read()))
