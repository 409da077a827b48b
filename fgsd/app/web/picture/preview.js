// The preview: the picture follows the ring on the map, while the visitor drags it, and a texture that is
// being learned.
import { emit, on } from "../shared/events.js";
import { latest } from "../shared/latest.js";
import { mapTarget } from "../shared/map_target.js";
import { isFollowing, previewRun, requestPreview } from "../shared/preview.js";
import { current } from "../shared/session.js";
import { createLocal } from "./local.js";
import { isPart } from "./part.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */

const REST_MS = 150; // at least, without a move: the hand rests

/**
 * @param {HTMLElement} panel
 * @param {ReturnType<typeof import("./local_browser.js").createLocalBrowser> | null} local
 * @param {import("../shared/dom.js").Panel["server"]} server
 * @param {(value: import("./index.js").Value) => void} receive takes the picture
 */
export function createPreview(panel, local, server, receive) {
  const page = Math.random().toString(36).slice(2); // tells the server whose queries cancel each other
  const askServer = (/** @type {import("./local.js").Query} */ query) => requestPreview(server, query);
  const ask = local ? createLocal(panel, local, askServer) : askServer;
  let number = 0; // of the newest query
  let rest = 0; // timer

  /** @param {{ frame?: import("../shared/run.js").Frame, error?: string }} answer */
  function show({ frame, error }) {
    if (!frame && !error) return;
    receive({ run: previewRun(panel.dataset.run), preview: true, frames: frame ? [frame] : [], error });
  }

  const showPreview = latest(async (/** @type {TargetEntry[]} */ target) => {
    if (!isFollowing()) return;
    number += 1;
    const began = performance.now();
    // a ring that wanders moves slowly: there is time for the whole picture
    const whole = Boolean(current("wander"));
    let answer = await ask({ target, page, number, whole });
    if (whole && !answer.frame && !answer.error) answer = await ask({ target, page, number });
    show(answer);
    if (answer.nearest) emit("nearest", answer.nearest);
    const { frame } = answer;
    if (frame && isPart({ ...frame, preview: true })) {
      showWhole(target, number, Math.max(REST_MS, performance.now() - began));
    }
  });

  /**
   * Show whole pictures once the hand has rested. The next move cancels them, also on the server.
   *
   * @param {TargetEntry[]} target
   * @param {number} last number of the query before
   * @param {number} wait milliseconds; longer on a busy server, where the next preview would wait for this
   */
  function showWhole(target, last, wait) {
    clearTimeout(rest);
    rest = window.setTimeout(async () => {
      if (last !== number || !current("drag")) return;
      number += 1;
      const own = number;
      const answer = await ask({ target, page, number, whole: true });
      if (own === number && current("drag")) show(answer);
    }, wait);
  }

  on("move", (target) => {
    clearTimeout(rest);
    void showPreview(target);
  });
  /** Show what is learned so far, if it is part of the target. */
  function followLearning() {
    const learning = current("learning") ?? [];
    if (!learning.length || current("drag") || current("mode")?.mode !== "sample") return;
    const target = mapTarget();
    if (target.some(({ name }) => learning.includes(name))) void showPreview(target);
  }
  for (const name of /** @type {const} */ (["user-textures", "running"])) on(name, followLearning);
}
