"""Serve the page with the checkpoint and the textures of this repository.

A Hugging Face Space runs this file and sets host and port by the environment variables of Gradio.
"""

import os
import sys
from pathlib import Path

from fgsd.app.http.address import AddressError
from fgsd.app.server import launch

HERE = Path(__file__).parent

if __name__ == "__main__":
    try:
        launch(
            HERE / "checkpoints" / "textures",
            HERE / "assets" / "textures",
            os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
            int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
            evidence=HERE / "assets" / "evidence" / "report.html",
        )
    except AddressError as error:
        sys.exit(f"Error: {error.strerror}; set GRADIO_SERVER_PORT or GRADIO_SERVER_NAME to another")
