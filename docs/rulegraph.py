"""Snakemake's graph of rules, all tables as one node and all figures as another: `make rulegraph` (Graphviz text)."""

import re
import sys

TABLES = "tables (make_*, tabulate_*)"
DRAWN_TOGETHER = {"plot": "figures (plot_*)", "make": TABLES, "tabulate": TABLES, "count": TABLES}
"""First word of a rule's name -> node."""
LEFT_OUT = ("all", "record_provenance", "write_citation")
"""What needs nearly everything, or nothing."""

text = sys.stdin.read()
rules = dict(re.findall(r'(\d+)\[label = "(\w+)"', text))
shown = {
    number: DRAWN_TOGETHER.get(rule.partition("_")[0], rule)
    for number, rule in rules.items()
    if rule not in LEFT_OUT
}
arrows = {
    (shown[one], shown[other])
    for one, other in re.findall(r"(\d+) -> (\d+)", text)
    if one in shown and other in shown and shown[one] != shown[other]
}
nodes = "".join(f'  "{name}";\n' for name in sorted(set(shown.values())))
edges = "".join(f'  "{one}" -> "{other}";\n' for one, other in sorted(arrows))
look = '  node [shape=box, style=rounded, fontname=sans, fontsize=10]; edge [color="#666666"];\n'
sys.stdout.write(f"digraph rules {{\n{look}{nodes}{edges}}}\n")
