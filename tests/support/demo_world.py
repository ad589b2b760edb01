"""The demo's languages, in little."""

from crane.demo.texts import DataSettings

from support.places import ROOT

TEMPLATES = ROOT / "resources" / "demo"
LANGUAGES = ("en", "zh", "vi")
SMALL = DataSettings(documents=600, identification=50, benchmark=30, questions=5)
