"""Where things are in the repository."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
PUBLISHED = ROOT / "resources" / "published"
