// How far the pixels of an area are from its edge: what Python takes from `scipy.ndimage`.

const NEIGHBOURS = [
  [-1, -1],
  [0, -1],
  [1, -1],
  [-1, 0],
];

/**
 * Squared distances along a line (Felzenszwalb and Huttenlocher 2012): the lower envelope of parabolas.
 *
 * @param {Float64Array} values squared distances at the places themselves; of one place at least finite
 * @param {number} count places
 * @param {Int32Array} places scratch
 * @param {Float64Array} bounds scratch, one longer
 * @param {Float64Array} found
 */
function envelope(values, count, places, bounds, found) {
  let last = -1;
  for (let q = 0; q < count; q += 1) {
    if (values[q] === Infinity) continue;
    let from = -Infinity;
    while (last >= 0) {
      const p = places[last];
      from = (values[q] + q * q - values[p] - p * p) / (2 * (q - p));
      if (from > bounds[last]) break;
      last -= 1;
      from = -Infinity;
    }
    last += 1;
    places[last] = q;
    bounds[last] = from;
  }
  for (let q = 0, k = 0; q < count; q += 1) {
    while (k < last && bounds[k + 1] < q) k += 1;
    found[q] = last < 0 ? Infinity : (q - places[k]) ** 2 + values[places[k]];
  }
}

/**
 * Squared distance of each pixel from the nearest one outside of an area.
 *
 * @param {Uint8Array} inside 1 in the area, else 0
 * @param {number} width
 * @returns {Float64Array} infinite where all is inside
 */
export function squaredDistances(inside, width) {
  const height = inside.length / width;
  const longest = Math.max(width, height);
  const [line, found] = [new Float64Array(longest), new Float64Array(longest)];
  const [places, bounds] = [new Int32Array(longest), new Float64Array(longest + 1)];
  const distances = Float64Array.from(inside, (one) => (one ? Infinity : 0));
  for (let x = 0; x < width; x += 1) {
    for (let y = 0; y < height; y += 1) line[y] = distances[y * width + x];
    envelope(line, height, places, bounds, found);
    for (let y = 0; y < height; y += 1) distances[y * width + x] = found[y];
  }
  for (let y = 0; y < height; y += 1) {
    line.set(distances.subarray(y * width, (y + 1) * width));
    envelope(line, width, places, bounds, found);
    distances.set(found.subarray(0, width), y * width);
  }
  return distances;
}

/**
 * Connected areas, over corners too.
 *
 * @param {Uint8Array} inside
 * @param {number} width
 * @returns {{ labels: Int32Array, count: number }} the number of its area for each pixel, from 1; 0 outside
 */
export function connectedAreas(inside, width) {
  const height = inside.length / width;
  const labels = new Int32Array(inside.length);
  /** @type {number[]} label of the same area, each its own at first */
  const same = [0];
  const root = (/** @type {number} */ label) => {
    while (same[label] !== label) label = same[label] = same[same[label]];
    return label;
  };
  for (let k = 0; k < inside.length; k += 1) {
    if (!inside[k]) continue;
    const [x, y] = [k % width, Math.floor(k / width)];
    for (const [dx, dy] of NEIGHBOURS) {
      const [column, row] = [x + dx, y + dy];
      if (column < 0 || column >= width || row < 0 || row >= height) continue;
      const other = labels[row * width + column];
      if (!other) continue;
      if (!labels[k]) labels[k] = root(other);
      else same[root(other)] = root(labels[k]);
    }
    if (!labels[k]) same.push((labels[k] = same.length));
  }
  for (let k = 0; k < labels.length; k += 1) labels[k] = root(labels[k]);
  return { labels, count: same.length };
}
