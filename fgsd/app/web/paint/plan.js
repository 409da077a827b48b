// The plan of a painting: the number of a region for each pixel.

/** @typedef {{ x: number, y: number }} Position in pixels of the plan */

const [KEPT, KEPT_PIXELS] = [40, 16_000_000]; // plans that undo can return to, and pixels of them all
// An 8 x 8 matrix of thresholds, from 1/128 to 127/128 (Bayer 1973): a gradient is stippled, so that a plan
// stays a number for each pixel. The soft edges of the regions blend the dots.
const THRESHOLDS = Float32Array.from({ length: 64 }, (_, k) => {
  const [x, y] = [k & 7, k >> 3];
  let value = 0;
  for (let bit = 0; bit < 3; bit += 1) value = value * 4 + 2 * (((x ^ y) >> bit) & 1) + ((y >> bit) & 1);
  return (value + 0.5) / 64;
});

export class Plan {
  /** @param {number} side in pixels */
  constructor(side) {
    this.side = side;
    this.numbers = new Uint8Array(side * side);
    /** @type {Uint8Array<ArrayBuffer>[]} */
    this.earlier = [];
  }

  /** Keep the plan as it is now, for `undo`. */
  remember() {
    this.earlier.push(this.numbers.slice());
    const most = Math.min(KEPT, Math.max(1, Math.floor(KEPT_PIXELS / this.numbers.length)));
    if (this.earlier.length > most) this.earlier.shift();
  }

  /** Return to the plan that was remembered last. @returns {boolean} whether there is one */
  undo() {
    const before = this.earlier.pop();
    if (!before) return false;
    this.numbers = before;
    return true;
  }

  /** The number of the region at a position. @param {Position} position */
  at({ x, y }) {
    const [column, row] = [x, y].map((v) => Math.min(this.side - 1, Math.max(0, Math.floor(v))));
    return this.numbers[row * this.side + column];
  }

  /**
   * Let a region fade into another one along a line; beyond its ends all is one of them. What was remembered
   * last is the plan before.
   *
   * @param {Position} from
   * @param {Position} to
   * @param {number} first number of the region
   * @param {number} second number of the one that it becomes
   */
  fade(from, to, first, second) {
    const before = this.earlier[this.earlier.length - 1];
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const length = Math.max(1, dx * dx + dy * dy);
    for (let k = 0; k < before.length; k += 1) {
      const [x, y] = [k % this.side, Math.floor(k / this.side)];
      const share = ((x + 0.5 - from.x) * dx + (y + 0.5 - from.y) * dy) / length;
      const faded = before[k] === first && share > THRESHOLDS[(y & 7) * 8 + (x & 7)];
      this.numbers[k] = faded ? second : before[k];
    }
  }

  /** @param {number} number */
  fill(number) {
    this.numbers.fill(number);
  }

  /**
   * Paint along a line with a round brush.
   *
   * @param {Position} from
   * @param {Position} to
   * @param {number} diameter
   * @param {number} number of the region
   */
  stroke(from, to, diameter, number) {
    const radius = diameter / 2;
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const length = dx * dx + dy * dy;
    const rows = span(Math.min(from.y, to.y) - radius, Math.max(from.y, to.y) + radius, this.side);
    const columns = span(Math.min(from.x, to.x) - radius, Math.max(from.x, to.x) + radius, this.side);
    for (let row = rows.first; row < rows.end; row += 1) {
      for (let column = columns.first; column < columns.end; column += 1) {
        const [x, y] = [column + 0.5 - from.x, row + 0.5 - from.y];
        const share = length ? Math.min(1, Math.max(0, (x * dx + y * dy) / length)) : 0;
        if (Math.hypot(x - share * dx, y - share * dy) <= radius)
          this.numbers[row * this.side + column] = number;
      }
    }
  }

  /** Scale to another side; what was remembered is forgotten. @param {number} side @returns {Plan} */
  scaled(side) {
    const plan = new Plan(side);
    for (let row = 0; row < side; row += 1) {
      for (let column = 0; column < side; column += 1) {
        const [y, x] = [row, column].map((v) => Math.floor(((v + 0.5) * this.side) / side));
        plan.numbers[row * side + column] = this.numbers[y * this.side + x];
      }
    }
    return plan;
  }

  /** The numbers of the regions that have pixels. @returns {Set<number>} */
  used() {
    return new Set(this.numbers);
  }

  /** The same, with those of the plans that undo can return to. @returns {Set<number>} */
  everUsed() {
    return new Set([...this.used(), ...this.earlier.flatMap((numbers) => [...new Set(numbers)])]);
  }

  /** Base64 of a byte for each pixel, deflated. @returns {Promise<string>} */
  async packed() {
    const deflated = new Blob([this.numbers]).stream().pipeThrough(new CompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(deflated).arrayBuffer());
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
  }
}

/**
 * The whole numbers from one position to another, inside of the plan.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} side
 */
function span(low, high, side) {
  return { first: Math.max(0, Math.floor(low)), end: Math.min(side, Math.ceil(high) + 1) };
}
