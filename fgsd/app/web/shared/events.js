// Events between the panels. Each is a CustomEvent `fgsd:<name>` on the document. Use `emit` and `on` for
// things that happen. Use session.js for state: it repeats the current state to panels that subscribe later.

/** @typedef {{ name: string, weight: number, move?: [number, number] }} TargetEntry one texture of the
 *  target: its weight (at least 0, on any scale) and its move over the map, in widths and heights of the map
 * */
/** @typedef {[number, number, ...number[]]} Point x, y, shares of the map's width and height; in 3D, z */
/** @typedef {{ name: string, src: string, near: [string, number][], pca: Point[], umap: Point[] | null,
 *  learnable: boolean } & Record<string, any>} UserTexture `pca` and `umap` hold a point for each noise
 *  level; `learnable` while the server has the image to learn from */
/** @typedef {{ name: string, distance: number, spacing: number }} Nearest a class, its distance from the
 *  target, and from the class next to it */
/** @typedef {{ mode: string, switch: number, places: number }} Mode the tab over the picture and the
 *  values of its controls: `switch` is a noise level, `places` the number of pictures in a strip */
/** @typedef {Record<string, any> & { index: number, steps: number, last: boolean, preview?: boolean }} Frame
 *  one step of a run as Python's `fgsd.app.render.frames` makes it; `preview` if it follows a drag */

/**
 * Details of the events that announce a state; subscribe to them by `subscribe` of session.js.
 *
 * @typedef {Object} States
 * @property {unknown[]} settings values of the controls, in the order of `.picture[data-settings]`
 * @property {Mode} mode
 * @property {string} visitor the server's session hash, by which it finds the visitor's textures
 * @property {UserTexture[]} user-textures all textures of the visitor
 * @property {string[]} learning names of the visitor's textures that are being learned, or wait for it
 * @property {boolean} restored the server has the textures that the browser had kept
 * @property {string[]} kept names of the visitor's textures that the browser keeps
 * @property {{ run: number, running: boolean }} running whether a run has more steps to come
 * @property {boolean} drag whether the visitor holds the ring or a texture
 * @property {string} view which picture of each step is shown: noise, estimate or both
 * @property {boolean} painting whether the paint panel is in the picture's place
 * @property {boolean} tile whether each image is repeated 3 by 3 times
 * @property {boolean} wander whether the ring moves by itself
 * @property {boolean} film whether a drag was made that can be saved as a video
 * @property {{ step: number, last: number }} history position in the undo history, and its end
 */

/**
 * Details of the events that announce an occurrence.
 *
 * @typedef {Object} Occurrences
 * @property {TargetEntry[]} move the target has changed during a drag
 * @property {Nearest | null} nearest class nearest to the previewed target
 * @property {{ run: number, index: number, sigma: number, positions: Record<string, Point[]> }} path where
 *  the images of one step are on the map, by projection, and in 3D ("pca-3d"); `sigma` is its noise level
 * @property {Frame} frame a step is on the screen
 * @property {{ src: string, side: number, preview: boolean, last: boolean }} painted a picture of a painting
 *  is on the screen: its data URI, and its side in pixels
 * @property {string} open the query string to open, as if it were the address
 * @property {string} linked the query string of the pictures that an interpolation shows
 * @property {{ kind: string, changes: Partial<Mode> }} interpolation a slider of the interpolation panel
 *  changes the mode: `kind` is "select" when a drag begins, "release" when it ends
 * @property {string} error a sentence for the visitor; an empty one clears the last error
 * @property {undefined} save-plan the visitor saves the plan of a painting
 * @property {undefined} save-film the visitor saves a video of the last drag
 * @property {number} film-progress share of the video that is made, from 0 to 1
 * @property {number} request what was under way is ended by a new request of the visitor: its number
 * @property {undefined} no-answer a request to the server had no answer
 */

/** @typedef {States & Occurrences} Events */

/**
 * @template {keyof Events} K
 * @param {K} name
 * @param {Events[K]} [detail]
 */
export function emit(name, detail) {
  document.dispatchEvent(new CustomEvent(`fgsd:${name}`, { detail }));
}

/**
 * @template {keyof Events} K
 * @param {K} name
 * @param {(detail: Events[K]) => void} handler
 * @returns {() => void} ends the subscription
 */
export function on(name, handler) {
  const listener = (/** @type {Event} */ event) => handler(/** @type {CustomEvent} */ (event).detail);
  document.addEventListener(`fgsd:${name}`, listener);
  return () => document.removeEventListener(`fgsd:${name}`, listener);
}
