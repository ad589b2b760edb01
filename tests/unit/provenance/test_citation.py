"""The citations say what CITATION.cff says."""

import yaml
from crane.provenance.citation import bibtex
from support.places import ROOT


def test_the_citations_are_those_of_the_repository():
    text = bibtex(yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8")))
    assert text.count("@") == 4 and text.count("{") == text.count("}")
    paper, software, *others = text.split("\n@")
    assert paper.startswith("@article{le2026,") and "Le, Yifan and Li, Yunliang" in paper
    assert "2601.04664" in paper
    assert software.startswith("software{") and "version = {" in software
    assert "Achtibat, Reduan and others" in others[0] and "Tang, Tianyi and others" in others[1]
    keys = [part.split("{")[1].split(",")[0] for part in text.split("@")[1:]]
    assert len(set(keys)) == 4
