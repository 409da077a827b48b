// A request of the visitor, checked as by `parse_request` of Python's `fgsd.app.requests.request`: an address
// may hold anything.
import { formatLink, parseLink } from "../shared/address.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {import("./centroids.js").Part} Part */

/**
 * @typedef {Object} Settings values of the controls
 * @property {number} n images
 * @property {number} size side in pixels
 * @property {number} seed
 * @property {number} steps
 * @property {number} strength
 * @property {string} sampler
 * @property {string} view
 * @property {boolean} tileable
 */

/**
 * @typedef {Settings & { parts: Part[], label: string, name: string, link: string }} Request `label` is the
 *  target in words, `name` that of a file
 */

/**
 * What a request may ask for; of the site's data.
 *
 * @typedef {Object} Bounds
 * @property {string[]} classes
 * @property {number[]} counts images of a run that are offered
 * @property {number[]} sizes sides in pixels that are offered
 * @property {string[]} samplers
 * @property {number} maxClasses
 * @property {number} maxMove
 * @property {number} maxSeed
 * @property {number} maxSteps
 * @property {number} maxStrength
 */

/** An error whose message is one sentence for the visitor. */
export class RequestError extends Error {}

/** @param {unknown} value @param {string} name @param {number} low @param {number} high @returns {number} */
export function number(value, name, low, high) {
  if (typeof value === "number" && value >= low && value <= high) return value;
  throw new RequestError(`${name} must be a number from ${low} to ${high}; ${shorten(value)} came.`);
}

/** @param {unknown} value @param {string} name @param {number} low @param {number} high */
export function whole(value, name, low, high) {
  if (Number.isInteger(number(value, name, low, high))) return /** @type {number} */ (value);
  throw new RequestError(`${name} must be a whole number from ${low} to ${high}; ${shorten(value)} came.`);
}

/** @template T @param {T} value @param {string} name @param {T[]} choices @returns {T} */
export function oneOf(value, name, choices) {
  if (choices.includes(value)) return value;
  throw new RequestError(`${name} must be ${choices.join(" or ")}; ${shorten(value)} came.`);
}

/** @param {unknown} value */
export const shorten = (value) => String(value).slice(0, 40);

/** @param {unknown} target @param {Bounds} bounds @returns {Part[]} weights in whole millionths, sum 1 */
export function partsOf(target, { classes, maxClasses, maxMove }) {
  if (!Array.isArray(target) || !target.length) {
    throw new RequestError("Choose at least one texture on the map.");
  }
  if (target.length > maxClasses) {
    throw new RequestError(`At most ${maxClasses} textures can be mixed; ${target.length} came.`);
  }
  /** @type {Part[]} */
  const parts = target.map(({ name, weight, move }) => {
    if (!classes.includes(name)) throw new RequestError(`There is no texture named ${shorten(name)}.`);
    const part = { name, weight: number(weight, `The weight of ${name}`, 0, 100) };
    if (!move) return part;
    if (!Array.isArray(move) || move.length !== 2) {
      throw new RequestError(`The move of ${name} must be two numbers; ${shorten(move)} came.`);
    }
    const by = move.map(
      (/** @type {unknown} */ value) =>
        Math.round(1e4 * number(value, `The move of ${name}`, -maxMove, maxMove)) / 1e4,
    );
    return by[0] || by[1] ? { ...part, move: by } : part;
  });
  const names = parts.map(({ name }) => name);
  const twice = names.find((name, k) => names.indexOf(name) !== k);
  if (twice !== undefined) throw new RequestError(`The texture ${twice} came twice.`);
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  if (total <= 0) throw new RequestError("Give at least one texture a weight above 0.");
  const shares = parts.map(({ weight }) => Math.round((1e6 * weight) / total));
  const rest = 1e6 - shares.reduce((sum, share) => sum + share, 0);
  shares[shares.indexOf(Math.max(...shares))] += rest;
  return parts.map((part, k) => ({ ...part, weight: shares[k] / 1e6 }));
}

/**
 * @param {unknown} target
 * @param {Settings} settings
 * @param {Bounds} bounds
 * @returns {Request}
 * @throws {RequestError} if a value is out of range; its message says what would be right
 */
export function parseRequest(target, settings, bounds) {
  const all = partsOf(target, bounds);
  const checked = {
    n: oneOf(settings.n, "Images", bounds.counts),
    size: oneOf(settings.size, "Size", bounds.sizes),
    seed: whole(settings.seed, "Seed", 0, bounds.maxSeed),
    steps: whole(settings.steps, "Steps", 1, bounds.maxSteps),
    strength: number(settings.strength, "Guidance strength", 0, bounds.maxStrength),
    sampler: oneOf(settings.sampler, "Sampler", bounds.samplers),
    view: oneOf(settings.view, "Watch", ["noise", "estimate", "both"]),
    tileable: Boolean(settings.tileable),
  };
  const { tileable, ...linked } = checked;
  const entries = /** @type {TargetEntry[]} */ (all);
  const parts = all.filter(({ weight }) => weight > 0);
  const percent = (/** @type {number} */ weight) => `${(100 * weight).toFixed(0)}%`;
  return {
    ...checked,
    parts,
    label: parts.map(({ name, weight }) => (weight === 1 ? name : `${percent(weight)} ${name}`)).join(", "),
    name: fileName(parts, checked.seed),
    link: formatLink({ target: entries, settings: linked, tileable, mode: "sample" }),
  };
}

/**
 * The target and the settings of a link; null if it names no mixture.
 *
 * @param {string} query
 * @param {Settings} settings that hold where the link names none
 * @returns {{ target: TargetEntry[], settings: Settings } | null}
 * @throws {RequestError} if the link asks for what the site has not
 */
export function openLink(query, settings) {
  const link = parseLink(query);
  if (!link) return null;
  if (link.mode !== "sample") {
    throw new RequestError("Strips, grids and loops need the page that a server computes.");
  }
  const target = link.target.map((entry) => ({ ...entry, weight: 100 * entry.weight }));
  return { target, settings: { ...settings, ...link.settings, tileable: link.tileable } };
}

/** @param {Part[]} parts @param {number} seed */
function fileName(parts, seed) {
  const names = [...parts].sort((a, b) => b.weight - a.weight).map(({ name }) => name);
  const words = names.join(" ").replace(/[^\p{L}\p{M}\p{N}]+/gu, "-");
  return `${words.slice(0, 100).replace(/^-+|-+$/g, "") || "sample"}-seed-${seed}`;
}
