"""The page starts quickly: it imports heavy packages only when they are needed."""

import subprocess
import sys

LATE = "umap", "numba", "sklearn", "scipy.stats", "torch._dynamo", "accelerate", "av", "matplotlib"
START = """
import sys
import fgsd, fgsd.app
print("gradio" in sys.modules, "sklearn" in sys.modules)
from fgsd.app.page import build_page
from fgsd.pipeline import Pipeline

build_page(Pipeline.from_pretrained(sys.argv[1], device="cpu"), sys.argv[2])
print(*[name for name in sys.argv[3:] if name in sys.modules], "gradio" in sys.modules)
"""


def test_the_library_is_light_and_heavy_imports_of_the_page_come_late(checkpoint_folder, texture_folder):
    command = [sys.executable, "-c", START, str(checkpoint_folder), str(texture_folder), *LATE]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["False False", "True"]
