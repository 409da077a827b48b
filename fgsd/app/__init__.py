"""The web page: `fgsd.app.server.launch` serves it. Only the modules of this package import Gradio."""

import os

# How often a waiting thread of OpenMP looks for work before it sleeps; torch reads it when it is imported. By
# default it looks 300,000 times, and keeps the core from the thread that it waits for: beside a busy process
# on the same cores, evaluations of the network at 64 px took forty times as long as with this value.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
