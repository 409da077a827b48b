"""The page's DOM as the benchmarks use it: every selector and script, in one place.

A change of the page's ids, classes or data attributes is followed here and nowhere else in `fgsd.benchmarks`.
"""

from __future__ import annotations

# ---- element ids of Gradio components, from the page's config ----

SAMPLE_BUTTON = "sample"
PICTURE_COMPONENT = "picture-panel"
SEED = "seed"
CONTROLS = {"count": "n", "size": "size", "steps": "steps", "sampler": "sampler"}  # id: field of a request

# ---- selectors ----

MAP = ".map-panel .map"
PICTURE = ".picture"
TEXTURES = ".dot"
PIN = ".map-panel .ring"
STOP_BUTTON = "#stop"
SIZE_INPUT = "#size input"
ERROR = ".picture .message"
UPLOAD_INPUT = ".user-textures .file"
LEARN_BUTTON = ".user-textures .actions .learn"
PAINT_BUTTON = "#paint-button .open"
EASEL = ".paint .plan"
INTERPOLATION_PROMPT = ".interpolation .missing"
INTERPOLATION_ERROR = ".interpolation .error"


def user_texture(name: str) -> str:
    """Thumbnail of an uploaded texture."""
    return f'.user-textures .thumbs button[data-name="{name}"]'


# ---- scripts ----

CENTRES = """
elements => Object.fromEntries(elements.map((element) => {
  const { x, y, width, height } = element.getBoundingClientRect();
  return [element.dataset.name ?? "", [x + width / 2, y + height / 2]];
}))
"""

# The hints of the first visit were dismissed before.
NO_TOUR = "try { localStorage.setItem('fgsd:tour', 'dismissed') } catch { /* it is blocked */ }"

# Records event times in milliseconds, in `bench`: new pixels of the samples, finished samples, and the last
# pointer events. A canvas is painted in the task that sets the source's `src`, and the frame with the new
# pixels has been presented when the second animation frame after it begins.
RECORDER = (
    f"{NO_TOUR}\n"
    + """
window.bench = { painted: [], finished: [], paintings: [], pointerMoved: 0, pointerReleased: 0 };
for (const [kind, key] of [["pointermove", "pointerMoved"], ["pointerup", "pointerReleased"]]) {
  document.addEventListener(kind, (event) => { bench[key] = event.timeStamp; }, true);
}
const afterPaint = (record) => requestAnimationFrame(() => requestAnimationFrame((now) => record(now)));
new MutationObserver((mutations) => {
  for (const { target, attributeName } of mutations) {
    if (attributeName === "src" && target.matches(".source")) afterPaint((now) => bench.painted.push(now));
    if (attributeName === "src" && target.matches(".paint .painting")) {
      target.decode().then(() => afterPaint((now) => bench.paintings.push(now)), () => {});
    }
    if (attributeName === "data-done" && target.dataset.done === "true") {
      afterPaint((now) => bench.finished.push(now));
    }
  }
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["src", "data-done"] });
"""
)
# Counts the previews that the server is asked for, and delays them.
SLOW_PREVIEW_MS = 1000
SLOW_PREVIEWS = (
    f"bench.slow = {SLOW_PREVIEW_MS};"
    + """
bench.asked = 0;
const fetched = window.fetch;
window.fetch = async (...call) => {
  if (String(call[1]?.body).includes('"fn_name":"preview"')) {
    bench.asked += 1;
    await new Promise((done) => setTimeout(done, bench.slow));
  }
  return fetched(...call);
};
"""
)
PREVIEWS_ASKED = "bench.asked"
NOTHING_LOADING = "!document.querySelector('.picture .fetching')"
PAINTED_COUNT = "bench.painted.length"
PAINTED_AFTER = "count => bench.painted.length > count"
PAINT_LATENCY_MS = "bench.painted.at(-1) - bench.pointerMoved"
PAINTINGS_COUNT = "bench.paintings.length"
PAINTINGS_AFTER = "count => bench.paintings.length > count"
PAINTING_LATENCY_MS = "bench.paintings.at(-1) - bench.pointerMoved"
FINISHED_COUNT = "bench.finished.length"
FINISHED_AFTER = "count => bench.finished.length > count"
RELEASE_LATENCY_MS = "bench.finished.at(-1) - bench.pointerReleased"
FIRST_TIMES_MS = """
() => [performance.getEntriesByName("first-contentful-paint")[0].startTime, bench.finished[0]]
"""

RUN = "document.querySelector('.picture').dataset.run"
RUN_CHANGED = "run => document.querySelector('.picture').dataset.run !== run"
RUN_ENDED = """
run => {
  const picture = document.querySelector(".picture");
  const ended = picture.dataset.done === "true" || !picture.querySelector(".message").hidden;
  return picture.dataset.run !== run && ended;
}
"""
RUN_STOPPED = """
() => {
  const picture = document.querySelector(".picture");
  return picture.dataset.done === "true" || picture.querySelector(".status").textContent === "Stopped.";
}
"""
# A click by script reaches thumbnails that others cover; the argument in [0, 1) selects one.
CLICK_TEXTURE = """
share => {
  const all = document.querySelectorAll(".dot");
  all[Math.floor(share * all.length)].click();
}
"""
CLICK_ANOTHER_TEXTURE = CLICK_TEXTURE.replace('".dot"', "'.dot[aria-pressed=false]'")
CLICK_STOP = "document.querySelector('#stop').click()"

LEARNING = '() => document.querySelector(".user-textures .learning").textContent.includes(" s left")'
LEARNING_OFFERED = """
() => document.querySelector(".user-textures .learning").textContent.includes("takes about")
"""
LEARNED_PICTURE = """
() => document.querySelector(".picture").dataset.preview === "true"
  && document.querySelector(".user-textures .learning").textContent.includes(" s left")
"""
LEARNED = """
() => document.querySelector(".user-textures .thumbs button")
  && !document.querySelector(".user-textures [data-learning]")
  && document.querySelector(".picture").dataset.done === "true"
"""

# the page goes on to learn without asking, or has learned already
LEARNING_FOR_SURE = f"""
() => document.querySelector(".user-textures [data-learning]")?.style.getPropertyValue("--share") > 0.1
  || ({LEARNED})()
"""

CROPS_SHOWN = """
count => {
  const { points, crops } = document.querySelector(".map-panel").dataset;
  return Boolean(points) && Number(crops) === count;
}
"""
# Frames a second while the wheel turns to and fro, one event a frame, and the number of thumbnails.
ZOOM_FRAMES = """
async (seconds) => {
  const map = document.querySelector(".map-panel .map");
  const { x, y, width, height } = map.getBoundingClientRect();
  const frame = () => new Promise(requestAnimationFrame);
  const turn = (deltaY) => map.dispatchEvent(new WheelEvent("wheel", {
    deltaY, clientX: x + width / 3, clientY: y + height / 3, bubbles: true, cancelable: true,
  }));
  for (let k = 0; k < 10; k += 1) turn(-20);
  await frame();
  const start = performance.now();
  let frames = 0;
  for (; performance.now() - start < 1000 * seconds; frames += 1) {
    turn(-24 * Math.cos(frames / 20));
    await frame();
  }
  return [(1000 * frames) / (performance.now() - start), document.querySelectorAll(".dot").length];
}
"""
# Milliseconds from a click to the first frame of the map in 3D.
OPEN_SPACE = """
async () => {
  const start = performance.now();
  document.querySelector(".to-space").click();
  const panel = document.querySelector(".map-panel");
  while (!panel.dataset.space?.includes("-")) await new Promise(requestAnimationFrame);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}
"""
# Frames a second while a drag turns the map in 3D, and the number of its points.
TURN_FRAMES = """
async (seconds) => {
  const plot = document.querySelector(".space .js-plotly-plot");
  const canvas = plot.querySelector("canvas");
  const { x, y, width, height } = plot.getBoundingClientRect();
  const send = (type, dx) => canvas.dispatchEvent(new MouseEvent(type, {
    clientX: x + width / 2 + dx, clientY: y + height / 2, buttons: 1, bubbles: true, cancelable: true,
  }));
  send("mousedown", 0);
  const start = performance.now();
  let frames = 0;
  for (; performance.now() - start < 1000 * seconds; frames += 1) {
    send("mousemove", 100 * Math.sin(frames / 10));
    await new Promise(requestAnimationFrame);
  }
  const rate = (1000 * frames) / (performance.now() - start);
  send("mouseup", 0);
  return [rate, plot.data.reduce((sum, trace) => sum + trace.x.length, 0)];
}
"""

INTERPOLATION_RUN = "document.querySelector('.interpolation').dataset.run ?? ''"
INTERPOLATION_ENDED = """
run => {
  const { done, run: current } = document.querySelector(".interpolation").dataset;
  return done === "true" && current !== run;
}
"""

# A screenshot does not hold the mouse pointer, so the page draws one.
DRAW_POINTER = """
() => {
  const pointer = document.createElement("div");
  pointer.innerHTML = `<svg width="20" height="28" viewBox="0 0 20 28"><path
    d="M1.5 1.5 V22 L6.4 17.4 L9.7 25.6 L13.6 24 L10.3 16 H17 Z"
    fill="#111" stroke="#fff" stroke-width="1.6" stroke-linejoin="round"/></svg>`;
  pointer.style.cssText = "position:fixed;left:0;top:0;z-index:2147483647;pointer-events:none;opacity:0;"
    + "filter:drop-shadow(0 1px 1.5px rgb(0 0 0/.4))";
  document.body.append(pointer);
  document.addEventListener("pointermove", (event) => {
    pointer.style.opacity = 1;
    pointer.style.transform = `translate(${event.clientX - 1.5}px, ${event.clientY - 1.5}px)`;
  }, true);
}
"""
HIDE_NOISE_BAR = ".map-panel .under { visibility: hidden }"  # the lower edge of the film would cut it
