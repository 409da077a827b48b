"""What tests of sites share; see `fgsd.app.site`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tools import skip_without

from fgsd.app.site.runtime import ARCHIVE, VERSION, cached_archive


def onnx_runtime(tmp_path_factory) -> Path:
    """The package of ONNX Runtime Web, from the user's cache or by npm."""
    if cached_archive().is_file():
        return cached_archive()
    skip_without(shutil.which("npm"), "npm, which fetches ONNX Runtime Web")
    folder = tmp_path_factory.mktemp("npm")
    subprocess.run(["npm", "pack", f"onnxruntime-web@{VERSION}"], cwd=folder, check=True, capture_output=True)
    return folder / ARCHIVE
