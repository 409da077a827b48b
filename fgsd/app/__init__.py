"""The web page: `fgsd.app.server.launch` serves it. Only the modules of this package import Gradio."""

from fgsd.threads import limit_spinning

limit_spinning()
