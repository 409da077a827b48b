// The page's address: "?mix=lava:0.5,glacier:0.5:0.1:-0.05&images=4&...&show=umap-7". Everything before
// `show` is a link, which Python's `fgsd.app.requests.link` writes and reads too; `show` is the view of the
// map, `space=noise:0.4,-1.5,0.3,0,0,0` that of the map in 3D. All functions are pure,
// except those under "of this page".

/** @typedef {import("./events.js").TargetEntry} TargetEntry */

/**
 * @typedef {Object} Link
 * @property {TargetEntry[]} target weights as shares (of 1 if a run has written the link)
 * @property {Record<string, string | number>} settings by the names of `fgsd.app.requests.request.SETTINGS`,
 *  "tileable" left out
 * @property {boolean} tileable
 * @property {string} mode "sample", "strip", "grid", "loop" or "coarse-fine"
 * @property {number} [places] pictures of a strip
 * @property {number} [switch] noise level of "coarse-fine"
 */

/** @typedef {{ view: "map" | "grid", projection: string, level: number }} MapView */

/**
 * @typedef {Object} SpaceView the map in 3D
 * @property {"depth" | "noise"} axis what the third axis is
 * @property {number[]} camera x, y, z of the eye, then of the point that it looks at, in plotly's units
 */

// name in the address: name of the setting, and its type in Python
/** @type {Record<string, [string, "whole" | "number" | "text"]>} */
const FIELDS = {
  images: ["n", "whole"],
  size: ["size", "whole"],
  seed: ["seed", "whole"],
  steps: ["steps", "whole"],
  strength: ["strength", "number"],
  sampler: ["sampler", "text"],
  watch: ["view", "text"],
};
/** @type {Record<string, "places" | "switch">} of the modes that have one */
const MODE_PARAMETERS = { strip: "places", "coarse-fine": "switch" };
const LINK_KEYS = ["mix", ...Object.keys(FIELDS), "tile", "mode", ...Object.values(MODE_PARAMETERS)];

// ---- query strings as lists of [key, encoded value] ----

/** @param {string} query @returns {[string, string][]} */
function split(query) {
  return query
    .replace(/^\?/, "")
    .split("&")
    .filter(Boolean)
    .map((part) => {
      const at = part.indexOf("=");
      return at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
    });
}

/** @param {[string, string][]} parts */
function join(parts) {
  return parts.length ? `?${parts.map(([key, value]) => `${key}=${value}`).join("&")}` : "";
}

/** @param {string} text @returns {string} the text itself if it is badly encoded */
function unquote(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string} text */
const decode = (text) => unquote(text.replaceAll("+", " "));

// as Python's quote(text, safe="") does
/** @param {string} text */
const quote = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

// as Python's urlencode(values, safe=":,") does
/** @param {string} text */
const encode = (text) => quote(text).replaceAll("%20", "+").replaceAll("%3A", ":").replaceAll("%2C", ",");

// in the mixture, names are quoted once more, so that their signs are not taken for those between names
/** @param {string} name */
const quoteName = (name) => name.replace(/[^\u0080-\uffff]+/g, quote);

// as Python writes a float: 1.0, not 1
/** @param {number} value */
const float = (value) => (Number.isInteger(value) ? value.toFixed(1) : String(value));

/** @param {string} query @param {string} key @returns {string | null} decoded; the last one counts */
function valueOf(query, key) {
  const found = split(query).filter(([name]) => name === key);
  return found.length ? decode(found[found.length - 1][1]) : null;
}

/** @param {string} query @param {string} key @param {string | null} value */
function withValue(query, key, value) {
  const rest = split(query).filter(([name]) => name !== key);
  return join(value === null ? rest : [...rest, [key, value]]);
}

// ---- links ----

/** Whether a query string names a mixture, so that it is a link. @param {string} query */
export function hasMixture(query) {
  return Boolean(valueOf(query, "mix"));
}

/** Number of characters in a link as the visitor sees it, percent-decoded. @param {string} query */
export const linkLength = (query) => [...unquote(unquote(query))].length;

/**
 * Parse a link; null if it names no mixture. Values are not checked: the server does that.
 *
 * @param {string} query
 * @returns {Link | null}
 */
export function parseLink(query) {
  const mix = valueOf(query, "mix");
  if (!mix) return null;
  const target = mix.split(",").map((part) => {
    const [name, weight, ...move] = part.split(":");
    /** @type {TargetEntry} */
    const entry = { name: unquote(name).normalize("NFC"), weight: Number(weight) };
    if (move.length === 2) entry.move = [Number(move[0]), Number(move[1])];
    return entry;
  });
  /** @type {Record<string, string | number>} */
  const settings = {};
  for (const [key, [name, kind]] of Object.entries(FIELDS)) {
    const value = valueOf(query, key);
    if (value !== null) settings[name] = kind === "text" ? value : Number(value);
  }
  /** @type {Link} */
  const link = {
    target,
    settings,
    tileable: valueOf(query, "tile") === "1",
    mode: valueOf(query, "mode") ?? "sample",
  };
  for (const name of Object.values(MODE_PARAMETERS)) {
    const value = valueOf(query, name);
    if (value !== null) link[name] = Number(value);
  }
  return link;
}

/**
 * Write a link as a query string, character for character as Python's `to_link` does.
 *
 * @param {Link} link
 * @returns {string}
 */
export function formatLink({ target, settings, tileable, mode, ...parameters }) {
  const mix = target.map(({ name, weight, move }) => [
    quoteName(name),
    ...[weight, ...(move ?? [])].map(float),
  ]);
  /** @type {[string, string][]} */
  const parts = [["mix", encode(mix.map((entry) => entry.join(":")).join(","))]];
  for (const [key, [name, kind]] of Object.entries(FIELDS)) {
    if (!(name in settings)) continue;
    const value = settings[name];
    parts.push([key, encode(kind === "number" ? float(Number(value)) : String(value))]);
  }
  if (tileable) parts.push(["tile", "1"]);
  if (mode !== "sample") parts.push(["mode", encode(mode)]);
  const parameter = MODE_PARAMETERS[mode];
  const value = parameter && parameters[parameter];
  if (value !== undefined) parts.push([parameter, parameter === "switch" ? float(value) : String(value)]);
  return join(parts);
}

/** Return the names of the textures in a link. @param {string} query @returns {string[]} */
export function mixtureNames(query) {
  return parseLink(query)?.target.map(({ name }) => name) ?? [];
}

/**
 * Replace the link in a query string; null removes it.
 *
 * @param {string} query
 * @param {Link | null} link
 */
export function withLink(query, link) {
  const rest = split(query).filter(([key]) => !LINK_KEYS.includes(key));
  return join([...(link ? split(formatLink(link)) : []), ...rest]);
}

/**
 * Replace the view of the steps in a link.
 *
 * @param {string} query
 * @param {string} view noise, estimate or both
 */
export function withWatch(query, view) {
  return join(split(query).map(([key, value]) => [key, key === "watch" ? encode(view) : value]));
}

// ---- the view of the map ----

/**
 * Give a link the view of the map that another query string holds.
 *
 * @param {string} link
 * @param {string} query
 */
export function withMapViewOf(link, query) {
  return withValue(withValue(link, "show", valueOf(query, "show")), "space", valueOf(query, "space"));
}

/**
 * Parse the view of the map; null if there is none, or one that the map does not have.
 *
 * @param {string} query
 * @param {string[]} projections
 * @param {number} levels number of noise levels
 * @returns {Partial<MapView> & { view: "map" | "grid" } | null}
 */
export function parseMapView(query, projections, levels) {
  const [, name, level] = /^([a-z]+)(?:-(\d+))?$/.exec(valueOf(query, "show") ?? "") ?? [];
  if (name === "grid") return { view: "grid" };
  if (!projections.includes(name) || !(Number(level) < levels)) return null;
  return { view: "map", projection: name, level: Number(level) };
}

/**
 * Replace the view of the map in a query string; null removes it.
 *
 * @param {string} query
 * @param {MapView | null} view
 */
export function withMapView(query, view) {
  if (!view) return withValue(query, "show", null);
  return withValue(query, "show", view.view === "grid" ? "grid" : `${view.projection}-${view.level}`);
}

/**
 * Parse the view in 3D; null if there is none. A camera that is no six numbers is left out.
 *
 * @param {string} query
 * @returns {{ axis: SpaceView["axis"], camera: number[] | null } | null}
 */
export function parseSpace(query) {
  const [axis, text] = (valueOf(query, "space") ?? "").split(":");
  if (axis !== "depth" && axis !== "noise") return null;
  const camera = (text ?? "").split(",").map((part) => (part ? Number(part) : NaN));
  const usable = camera.length === 6 && camera.every((value) => Math.abs(value) < 100);
  return { axis, camera: usable ? camera : null };
}

/**
 * Replace the view in 3D in a query string; null removes it.
 *
 * @param {string} query
 * @param {SpaceView | null} view
 */
export function withSpace(query, view) {
  if (!view) return withValue(query, "space", null);
  return withValue(query, "space", `${view.axis}:${view.camera.map((value) => +value.toFixed(2)).join(",")}`);
}

// ---- of this page ----

/**
 * Return the link of what is on the screen. The address of the first screen holds none yet.
 *
 * @param {string} first its link
 */
export function currentLink(first) {
  return hasMixture(location.search) ? location.search : first;
}

/** Replace the page's query string, without a step of the history. @param {string} query */
export function replaceQuery(query) {
  history.replaceState(history.state, "", location.pathname + query);
}

/** Position in the undo history, from 0. @returns {number} */
export function currentStep() {
  return history.state?.step ?? 0;
}

/** Go to another query string as a new step of the history. @param {string} query */
export function pushQuery(query) {
  history.pushState({ step: currentStep() + 1 }, "", location.pathname + query);
}
