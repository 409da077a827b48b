// A film of the drag or the stroke that the visitor has just made: the previews that followed the hand, and
// the picture that condensed when it let go. The browser plays them again into a video.
import { decodeImage, downloadBlob, make } from "../shared/dom.js";
import { emit, on } from "../shared/events.js";
import { announce, subscribe } from "../shared/session.js";
import { paintSheet } from "./canvases.js";
import { FADE, isPart, paintPart } from "./part.js";

/** @typedef {import("../shared/run.js").Frame} Frame */
/** @typedef {{ frame: Frame, src: string, tiled: boolean, at: number }} Shot a picture that was on the
 *  screen, and when */
/** @typedef {{ at: number, side: number }} Part a square of a picture: its left and upper edge and its side,
 *  as shares of the picture's */

const SIDE = 512; // pixels of the video
const RATE = 30; // of its frames a second
const ZOOM_MS = 700; // from the part that the previews showed to the whole picture
/** @type {Part} */
const WHOLE = { at: 0, side: 1 };
const LONGEST_REST_MS = 1000; // for which a picture stays: the hand may have rested longer
const END_MS = 1500; // for which the last picture stays
const MOST = 450; // pictures that are kept, the newest ones: up to 40 MB
const BITS_A_SECOND = 6_000_000;
const KINDS = ["video/mp4;codecs=avc1.42E01F", "video/webm;codecs=vp9", "video/webm;codecs=vp8"];

/**
 * When each picture is shown, in milliseconds from the start, and when the film ends.
 *
 * @param {number[]} times at which they were on the screen
 * @returns {{ starts: number[], end: number }}
 */
export function filmTimes(times) {
  const starts = [0];
  for (let k = 1; k < times.length; k += 1) {
    starts.push(starts[k - 1] + Math.min(times[k] - times[k - 1], LONGEST_REST_MS));
  }
  return { starts, end: starts[starts.length - 1] + END_MS };
}

/** The kind of video that this browser makes; undefined if it makes none. */
const videoKind = () =>
  typeof MediaRecorder === "undefined"
    ? undefined
    : KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));

/** @returns {{ add: (frame: Frame, src: string, tiled: boolean) => void }} takes what is painted */
export function createDragFilm() {
  /** @type {Shot[]} */
  let shots = [];
  let recording = false;
  const kind = videoKind();

  function begin() {
    [shots, recording] = [[], true];
    announce("film", false);
  }

  function add(/** @type {Frame} */ frame, /** @type {string} */ src, /** @type {boolean} */ tiled) {
    if (!recording || !kind) return;
    shots.push({ frame, src, tiled, at: performance.now() });
    if (shots.length > MOST) shots.shift();
    if (frame.preview || !frame.last) return;
    recording = false;
    announce(
      "film",
      shots.some((shot) => shot.frame.preview),
    );
  }

  subscribe("drag", (dragging) => {
    if (dragging) begin();
  });
  // strokes, and drags of the ring that change a region
  on("painted", ({ src, side, preview, last }) => {
    if (preview && !recording) begin();
    const whole = { n: 1, columns: 1, side, size: side, tileable: false, name: "painting" };
    add(/** @type {Frame} */ ({ ...whole, preview, last }), src, false);
  });
  on("save-film", async () => {
    const name = `${shots[shots.length - 1].frame.name}-drag`;
    try {
      const video = await filmOf(shots, /** @type {string} */ (kind), (share) =>
        emit("film-progress", share),
      );
      downloadBlob(`${name}.${kind?.startsWith("video/mp4") ? "mp4" : "webm"}`, video);
      emit("film-progress", 1);
    } catch (error) {
      emit("film-progress", 1);
      emit(
        "error",
        `The browser could not make the video: ${error instanceof Error ? error.message : error}`,
      );
    }
  });
  return { add };
}

/** Index of the picture that is shown at a time. @param {number[]} starts @param {number} time */
const shownAt = (starts, time) => Math.max(0, starts.filter((start) => start <= time).length - 1);

/**
 * The part of the picture that fills the frame at a time: that of a preview, and from the release on more and
 * more, up to all of it.
 *
 * @param {Part[]} parts of the pictures
 * @param {number[]} starts when they are shown, in milliseconds
 * @param {number} time
 * @returns {Part}
 */
export function framing(parts, starts, time) {
  const shown = shownAt(starts, time);
  if (parts[shown].side < 1) return parts[shown];
  let before = shown;
  while (before >= 0 && parts[before].side === 1) before -= 1;
  if (before < 0) return WHOLE;
  const share = Math.min(1, (time - starts[before + 1]) / ZOOM_MS);
  const left = (1 + Math.cos(Math.PI * share)) / 2; // it starts and stops gently
  const { at, side } = parts[before];
  return { at: left * at, side: left * side + 1 - left };
}

/** @param {Frame} frame @returns {Part} without the edge at which a preview fades */
export function partOf(frame) {
  const { finished, side } = frame;
  if (!finished || !isPart(frame) || finished.n > 1) return WHOLE;
  return { at: (finished.corner + FADE) / finished.size, side: (side - 2 * FADE) / finished.size };
}

/**
 * Play pictures into a video, in as much time as the drag took.
 *
 * @param {Shot[]} shots
 * @param {string} kind media type
 * @param {(share: number) => void} onProgress
 * @returns {Promise<Blob>}
 */
async function filmOf(shots, kind, onProgress) {
  const canvas = make("canvas", { width: SIDE, height: SIDE });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const pane = make("div", { className: "film-pane" });
  document.body.append(pane);
  const recorder = new MediaRecorder(canvas.captureStream(RATE), {
    mimeType: kind,
    videoBitsPerSecond: BITS_A_SECOND,
  });
  /** @type {Blob[]} */
  const chunks = [];
  recorder.addEventListener("dataavailable", ({ data }) => chunks.push(data));
  const stopped = new Promise((resolve, reject) => {
    recorder.addEventListener("stop", resolve);
    recorder.addEventListener("error", () => reject(new Error("recording failed")));
  });
  const { starts, end } = filmTimes(shots.map(({ at }) => at));
  const parts = shots.map(({ frame }) => partOf(frame));
  let painted = -1;
  try {
    recorder.start();
    const began = performance.now();
    for (let time = 0; time < end; time = performance.now() - began) {
      const shown = shownAt(starts, time);
      if (shown !== painted) paint(shots[shown], parts[shown], await decodeImage(shots[shown].src), pane);
      painted = shown;
      draw(pane, framing(parts, starts, time), context);
      onProgress(time / end);
      await new Promise((resolve) => setTimeout(resolve, 1000 / RATE));
    }
    recorder.stop();
    await stopped;
  } finally {
    pane.remove();
  }
  return new Blob(chunks, { type: kind });
}

/**
 * Paint a picture as on the screen, at the size at which its part fills the frame.
 *
 * @param {Shot} shot
 * @param {Part} part
 * @param {HTMLImageElement} sheet
 * @param {HTMLElement} pane
 */
function paint({ frame, tiled }, { side }, sheet, pane) {
  pane.style.setProperty("--side", `${SIDE / side / window.devicePixelRatio}px`);
  if (isPart(frame)) paintPart(pane, frame, sheet, tiled);
  else paintSheet(pane, frame, sheet, tiled);
}

/** @param {HTMLElement} pane @param {Part} part @param {CanvasRenderingContext2D} context of the video */
function draw(pane, { at, side }, context) {
  const canvases = /** @type {HTMLCanvasElement[]} */ ([...pane.children]);
  const columns = Number(pane.style.getPropertyValue("--columns"));
  const extent = SIDE / columns;
  for (const [k, canvas] of canvases.entries()) {
    const [from, length] = [at * canvas.width, side * canvas.width];
    const [x, y] = [(k % columns) * extent, Math.floor(k / columns) * extent];
    context.drawImage(canvas, from, from, length, length, x, y, extent, extent);
  }
}
