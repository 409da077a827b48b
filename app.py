"""Serve the page on the checkpoint and the textures that come with the repository."""

from pathlib import Path

from fgsd.app.server import launch

HERE = Path(__file__).parent

if __name__ == "__main__":
    launch(
        HERE / "checkpoints" / "textures",
        HERE / "assets" / "textures",
        evidence=HERE / "assets" / "evidence" / "report.html",
    )
