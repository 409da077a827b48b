"""The page starts quickly: it imports heavy packages only when they are needed."""

import subprocess
import sys

LATE = "umap", "numba", "sklearn", "scipy.stats", "torch._dynamo", "accelerate", "av", "matplotlib"
START = """
import sys
from fgsd.app.page import build_page
from fgsd.pipeline import Pipeline

build_page(Pipeline.from_pretrained(sys.argv[1], device="cpu"), sys.argv[2])
print(*[name for name in sys.argv[3:] if name in sys.modules], "gradio" in sys.modules)
"""


def test_heavy_imports_come_late(checkpoint_folder, texture_folder):
    command = [sys.executable, "-c", START, str(checkpoint_folder), str(texture_folder), *LATE]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True"]
