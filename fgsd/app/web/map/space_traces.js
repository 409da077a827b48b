// What plotly draws of the map in 3D: pure functions from positions to traces and the layout.
// Axes of the plot: in "depth" x to the right, y into the screen, z upwards; in "noise" z is the height of
// the noise level.

/** @typedef {[number, number, number]} Place in the plot's axes */
/** @typedef {{ x: number, y: number, z?: number }} Vector */

/**
 * @typedef {Object} SpaceData of `fgsd.app.render.space_data`
 * @property {number[]} shown crops
 * @property {Float32Array} classes (classes, 3), of all levels in "noise"
 * @property {Float32Array} crops (shown, 3), of all levels in "noise"
 * @property {[number, number][]} [centres] of "noise", by noise level, as the next two
 * @property {number[]} [scales]
 * @property {number[]} [heights]
 */

/** @typedef {"depth" | "noise"} Axis */

export const CAMERAS = { depth: [0.35, -1.45, 0.25, 0, 0, 0], noise: [0.95, -1.25, 0.3, 0, 0, -0.05] };

/**
 * A position of the map in the axes of the plot.
 *
 * @param {Axis} axis
 * @param {number} x
 * @param {number} y
 * @param {number} z
 * @returns {Place}
 */
export const placed = (axis, x, y, z) => (axis === "depth" ? [x, z, 1 - y] : [x, 1 - y, z]);

/**
 * All positions of a packed table.
 *
 * @param {Axis} axis
 * @param {Float32Array} table (N, 3)
 * @returns {Place[]}
 */
export function positionsIn(axis, table) {
  return Array.from({ length: table.length / 3 }, (_, k) =>
    placed(axis, table[3 * k], table[3 * k + 1], table[3 * k + 2]),
  );
}

/**
 * A value at a noise level, interpolated in log sigma; beyond the table it is that of its end.
 *
 * @param {number[]} sigmas increasing
 * @param {number[]} values
 * @param {number} sigma
 */
export function atSigma(sigmas, values, sigma) {
  const last = sigmas.length - 1;
  if (!(sigma > sigmas[0])) return values[0];
  if (sigma >= sigmas[last]) return values[last];
  const k = sigmas.findIndex((other) => other > sigma) - 1;
  const share = Math.log(sigma / sigmas[k]) / Math.log(sigmas[k + 1] / sigmas[k]);
  return values[k] + share * (values[k + 1] - values[k]);
}

/**
 * A position of the map in the stack of the maps of all noise levels, as Python's `MapSpace.stacked` has it.
 *
 * @param {SpaceData} data
 * @param {number[]} sigmas of the map
 * @param {number} x
 * @param {number} y
 * @param {number} sigma
 * @returns {Place}
 */
export function stacked({ centres = [], scales = [], heights = [] }, sigmas, x, y, sigma) {
  const scale = atSigma(sigmas, scales, sigma);
  const centre = [0, 1].map((k) =>
    atSigma(
      sigmas,
      centres.map((values) => values[k]),
      sigma,
    ),
  );
  const moved = [x, y].map((value, k) => centre[k] + scale * (value - centre[k]));
  return placed("noise", moved[0], moved[1], atSigma(sigmas, heights, sigma));
}

/** @param {Place[]} points @returns {{ x: number[], y: number[], z: number[] }} */
const columns = (points) => ({
  x: points.map(([x]) => x),
  y: points.map(([, y]) => y),
  z: points.map(([, , z]) => z),
});

/**
 * Points that the pointer finds; `customdata` tells which.
 *
 * @param {string} name
 * @param {Place[]} points
 * @param {unknown[]} customdata
 * @param {object} marker
 * @param {object} [more]
 */
export const markers = (name, points, customdata, marker, more = {}) => ({
  type: "scatter3d",
  mode: "markers",
  name,
  ...columns(points),
  customdata,
  marker,
  hoverinfo: "none",
  ...more,
});

/**
 * Lines through lists of points, as one trace. With null between them plotly leaves a gap.
 *
 * @param {string} name
 * @param {Place[][]} paths
 * @param {object} line
 * @param {string[]} [colours] of each path
 */
export function lines(name, paths, line, colours) {
  const [x, y, z] = [0, 1, 2].map((k) =>
    paths.flatMap((path) => [...path.map((point) => /** @type {number | null} */ (point[k])), null]),
  );
  const colour = colours && paths.flatMap((path, k) => Array(path.length + 1).fill(colours[k]));
  return {
    type: "scatter3d",
    mode: "lines",
    name,
    x,
    y,
    z,
    line: { ...line, ...(colour && { color: colour }) },
    hoverinfo: "skip",
  };
}

/** @param {number[]} camera @returns {object} as plotly has it */
export function cameraOf([ex, ey, ez, cx, cy, cz]) {
  return {
    eye: { x: ex, y: ey, z: ez },
    center: { x: cx, y: cy, z: cz },
    up: { x: 0, y: 0, z: 1 },
  };
}

/** @param {{ eye: Vector, center: Vector }} camera of plotly @returns {number[]} */
export const cameraNumbers = ({ eye, center }) => [eye, center].flatMap(({ x, y, z }) => [x, y, z ?? 0]);

/**
 * The camera after a turn about the vertical axis, a turn upwards, and a change of its distance.
 *
 * @param {number[]} camera
 * @param {number} right radians
 * @param {number} up radians
 * @param {number} [factor] of the distance
 * @returns {number[]}
 */
export function turned([ex, ey, ez, cx, cy, cz], right, up, factor = 1) {
  const [x, y, z] = [ex - cx, ey - cy, ez - cz];
  const distance = Math.hypot(x, y, z) * factor;
  const azimuth = Math.atan2(y, x) + right;
  const elevation = Math.min(1.5, Math.max(-1.5, Math.atan2(z, Math.hypot(x, y)) + up));
  return [
    cx + distance * Math.cos(elevation) * Math.cos(azimuth),
    cy + distance * Math.cos(elevation) * Math.sin(azimuth),
    cz + distance * Math.sin(elevation),
    cx,
    cy,
    cz,
  ];
}

/**
 * @param {Axis} axis
 * @param {number[]} sigmas
 * @param {SpaceData | null} data
 * @param {import("./canvas.js").Theme} theme
 * @param {number[]} camera
 */
export function layoutOf(axis, sigmas, data, theme, camera) {
  const plain = {
    showticklabels: false,
    title: { text: "" },
    showspikes: false,
    zeroline: false,
    gridcolor: theme.line,
    showbackground: false,
    range: [-0.1, 1.1],
  };
  const decades = [0.01, 0.1, 1, 10, 100].filter(
    (sigma) => sigma >= sigmas[0] && sigma <= sigmas[sigmas.length - 1],
  );
  const noise = data?.heights && {
    title: { text: "noise σ" },
    showticklabels: true,
    tickvals: decades.map((sigma) => atSigma(sigmas, data.heights ?? [], sigma)),
    ticktext: decades.map(String),
  };
  return {
    autosize: true,
    margin: { l: 0, r: 0, t: 0, b: 0 },
    paper_bgcolor: "rgba(0,0,0,0)",
    showlegend: false,
    font: { color: theme.quiet, size: 11 },
    hovermode: "closest",
    scene: {
      xaxis: plain,
      yaxis: plain,
      zaxis: { ...plain, ...(axis === "noise" && noise) },
      aspectmode: "manual",
      aspectratio: { x: 1.2, y: 1, z: 1 },
      dragmode: "turntable",
      camera: cameraOf(camera),
    },
  };
}
