#!/usr/bin/env bash
# LXT without its dependencies: see lxt.txt.
set -euo pipefail
pip install --no-deps lxt==2.1
