// The paint panel of a site: what it asks of the server is painted in the worker.
import { find } from "../shared/dom.js";
import { current, subscribe } from "../shared/session.js";
import { colourOf, parsePainting } from "./paint_request.js";
import { createPanel } from "./panel.js";
import { RequestError } from "./request.js";

/** @typedef {import("./paint_request.js").PaintQuery} PaintQuery */
/** @typedef {import("../shared/run.js").Frame} Frame */

/**
 * @param {Object} page
 * @param {import("./client.js").Client} page.client
 * @param {import("./paint_request.js").PaintBounds} page.bounds
 * @param {() => Promise<void>} page.load loads all that runs need
 * @param {() => boolean} page.isLoaded whether previews can be painted
 * @param {HTMLElement} page.notice of loading, which is over the picture
 * @returns {import("../shared/dom.js").Panel<any>}
 */
export function createPaintPanel({ client, bounds, load, isLoaded, notice }) {
  let newest = -1; // number of the newest query
  /** @type {number | null} of the query in all steps that a run of the map has ended */
  let ended = null;

  /** Let the panel ask again, once it is open. @param {number | null} number of the query */
  function askAgain(number) {
    ended = number;
    if (number !== null && current("painting")) set({ number, busy: true });
  }

  /** Paint in all steps. @param {PaintQuery} query */
  async function paint(query) {
    const { number } = query;
    newest = number;
    ended = null;
    /** @type {Record<string, Frame>} */
    const frames = {};
    try {
      const request = await parsePainting(query, bounds);
      await load();
      if (number !== newest) return;
      const { cancelled } = await client.call("paint", [request, false], (frame) => {
        frames[frame.index] = frame;
        set({ number, frames: { ...frames } });
      });
      if (cancelled && number === newest) askAgain(number);
    } catch (error) {
      set({ number, error: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Paint what follows the hand. @param {PaintQuery} query */
  async function preview(query) {
    newest = query.number;
    void load().catch(() => undefined); // its error comes with the picture in all steps
    if (!isLoaded()) return {};
    const request = await parsePainting(query, bounds);
    if (query.number !== newest) return {};
    let src = "";
    await client.call("paint", [request, true], (frame) => (src = frame.src));
    return src ? { src } : {};
  }

  /** @param {unknown[]} colours of a plan */
  async function textures(colours) {
    const count = Math.min(bounds.paint.maxRegions, bounds.classes.length);
    if (colours.length > count) throw new RequestError(`Give at most ${count} colours.`);
    const wanted = colours.map(colourOf);
    await load();
    return { names: await client.call("texturesOfColours", [wanted]) };
  }

  const answering = (/** @type {(query: any) => Promise<any>} */ run) => (/** @type {any} */ query) =>
    run(query).catch((/** @type {Error} */ error) => ({ error: error.message }));
  const { panel, set } = createPanel("paint", /** @type {any} */ (null), {
    trigger: (_event, query) => void paint(query),
    server: { preview_painting: answering(preview), textures_of_colours: answering(textures) },
  });
  const places = [find(panel.element, ".easel"), /** @type {HTMLElement} */ (notice.parentElement)];
  subscribe("painting", (open) => {
    places[open ? 0 : 1].append(notice);
    askAgain(ended);
  });
  return panel;
}
