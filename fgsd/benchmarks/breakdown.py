"""Where the time of a drag goes, from the pointer event to pixels: a part of `fgsd bench app`.

The browser records when the request of a preview begins and when its answer has arrived, and the answer says
what the server did meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

# Wraps `fetch`, through which the page calls its functions in Python: the times of each preview, and when its
# picture was set, which is after it was decoded and painted into a canvas.
RECORDER = """
window.previews = [];
const plainFetch = window.fetch;
window.fetch = async (...call) => {
  if (!String(call[1]?.body).includes('"preview"')) return plainFetch(...call);
  const preview = { begun: performance.now() };
  window.previews.push(preview);
  const response = await plainFetch(...call);
  response.clone().text().then((text) => {
    const answered = performance.now();
    const { times, frame } = JSON.parse(text);
    Object.assign(preview, { answered, bytes: text.length, times, size: frame?.size });
  }, () => {});
  return response;
};
new MutationObserver((mutations) => {
  const painted = mutations.some(({ target }) => target.matches(".source"));
  if (painted && window.previews.length) window.previews.at(-1).painted ??= performance.now();
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["src"] });
"""
LAST = """
() => ({ ...window.previews.at(-1), moved: bench.pointerMoved, shown: bench.painted.at(-1) })
"""
PARTS = {  # in the order of time
    "event": "pointer event to request",
    "http": "HTTP and Gradio, both ways",
    "checks": "checks of the request, target, nearest class",
    "waiting": "waiting for the scheduler, and what samplers do between evaluations",
    "evaluations": "evaluations of the network",
    "encoding": "encoding of the picture, and its values",
    "decoding": "decoding, enlarging and painting into the canvas",
    "screen": "until the second frame after it, by which it is on the screen",
}


def breakdown(move: Callable[[], None], last: Callable[[], dict], moves: Iterable) -> dict:
    """Measure the parts of the latency of a preview; `move` moves the pin and waits for its picture.

    Parameters
    ----------
    last : callable
        Returns the value of the script `LAST`.

    Returns
    -------
    dict
        "milliseconds", the median of each of `PARTS` by its words, "whole" that of their sum, the median
        "bytes" of an answer, and "size", the side of the largest preview in pixels.

    Raises
    ------
    RuntimeError
        If no move could be told apart from the next.
    """
    rows = []
    for _ in moves:
        move()
        one = last()
        if one.get("times") and "painted" in one:  # not where the page has asked again meanwhile
            rows.append(times_of(one) | {name: one[name] for name in ("bytes", "size")})
    if not rows:
        raise RuntimeError("no preview was measured: the page asked for another before each was painted")
    medians = {w: round(float(np.median([row[part] for row in rows])), 1) for part, w in PARTS.items()}
    whole = np.median([sum(row[part] for part in PARTS) for row in rows])
    figures = {"whole": round(float(whole), 1), "bytes": int(np.median([row["bytes"] for row in rows]))}
    return {"milliseconds": medians, **figures, "size": max(row["size"] for row in rows), "checks": []}


def times_of(one: dict) -> dict[str, float]:
    """Return the milliseconds of each part of one preview."""
    server = one["times"]
    return {
        "event": one["begun"] - one["moved"],
        "http": one["answered"] - one["begun"] - server["all"],
        "checks": server["checks"],
        "waiting": server["sampling"] - server["evaluations"],
        "evaluations": server["evaluations"],
        "encoding": server["all"] - server["checks"] - server["sampling"],
        "decoding": one["painted"] - one["answered"],
        "screen": one["shown"] - one["painted"],
    }
