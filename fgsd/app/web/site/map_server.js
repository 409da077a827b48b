// What the map asks for: answers that Python has computed for the site, and those of the worker.
import { decodeImage, make } from "../shared/dom.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */

/**
 * @typedef {Object} MapFiles names of files
 * @property {string} labels the class of each crop
 * @property {Record<string, string>} points positions of all crops at every noise level, by projection
 * @property {Record<string, { noise: string, depth?: string }>} space positions in 3D, by projection; those
 *  of "depth" at every noise level
 * @property {string[]} near the nearest classes of each crop, by noise level
 * @property {(string | null)[]} crops sheets of the pictures of the crops, by class
 * @property {{ side: number, columns: number, rows: number[] }} sheet `rows` is the place of each crop in the
 *  sheet of its class
 */

const NO_DEPTH = "The depth of UMAP needs the page that a server computes. Choose PCA or the noise level.";

/**
 * @param {Object} site
 * @param {string[]} site.classes
 * @param {MapFiles} site.map
 * @param {number[]} site.spacings distance of each class from the next one
 * @param {(target: TargetEntry[]) => Promise<import("../shared/events.js").Nearest>} nearest of a mixture
 * @returns {import("../shared/dom.js").Panel["server"]}
 */
export function createMapServer({ classes, map, spacings }, nearest) {
  /** @type {Map<string, Promise<any>>} */
  const files = new Map();

  /** @param {string} name @returns {Promise<any>} */
  function json(name) {
    const known = files.get(name);
    if (known) return known;
    const content = fetch(new URL(name, document.baseURI)).then((response) => {
      if (!response.ok) throw new Error("A part of the map cannot be loaded.");
      return response.json();
    });
    files.set(name, content);
    content.catch(() => files.delete(name));
    return content;
  }

  /** The picture of a crop, cut out of the sheet of its class. @param {number} row @param {number} crop */
  async function picture(row, crop) {
    const name = map.crops[row];
    if (!name) return null;
    const { side, columns, rows } = map.sheet;
    const sheet = await decodeImage(new URL(name, document.baseURI).href);
    const canvas = make("canvas", { width: side, height: side });
    const [x, y] = [rows[crop] % columns, Math.floor(rows[crop] / columns)];
    canvas.getContext("2d")?.drawImage(sheet, -x * side, -y * side);
    return canvas.toDataURL();
  }

  return {
    map_labels: () => json(map.labels),
    map_points: async ({ projection, level }) => ({ points: (await json(map.points[projection]))[level] }),
    map_space: async ({ projection, axis, level }) => {
      const { noise, depth } = map.space[projection];
      if (axis === "noise") return json(noise);
      return depth ? (await json(depth))[level] : { error: NO_DEPTH };
    },
    map_crop: async ({ crop, level }) => {
      const { rows, near } = await json(map.near[level]);
      /** @type {[string, number][]} */
      const named = near[crop].map((/** @type {number[]} */ [row, distance]) => [classes[row], distance]);
      return { src: await picture(rows[crop], crop), name: classes[rows[crop]], near: named };
    },
    map_true_distance: ({ target }) => {
      const [only, ...others] = target;
      const row = classes.indexOf(only.name);
      // a texture alone needs no table: that is most of what is asked before anything is loaded
      if (others.length || only.move || row < 0) return nearest(target);
      return Promise.resolve({ name: only.name, distance: 0, spacing: spacings[row] });
    },
  };
}
