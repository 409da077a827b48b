import assert from "node:assert/strict";
import { test } from "node:test";
import { enlarge, lanczosTaps } from "../../fgsd/app/web/shared/lanczos.js";

const ImageData = (globalThis.ImageData ??= class {
  constructor(width, height) {
    Object.assign(this, { width, height, data: new Uint8ClampedArray(4 * width * height) });
  }
});

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const kernel = (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0);

// The value at a position of the result, summed over all pixels there are, with weights that sum to 1.
function direct(values, position, index) {
  let [sum, total] = [0, 0];
  for (let k = -20; k < values.length + 20; k += 1) {
    const weight = kernel(position - k);
    sum += weight * values[index(k)];
    total += weight;
  }
  return sum / total;
}

for (const wrap of [false, true]) {
  const edge = wrap ? "continues at its other edge" : "repeats its edge";
  test(`the taps are a Lanczos filter whose image ${edge}`, () => {
    const values = [3, 200, 10, 90, 55, 0, 255, 70, 31];
    const side = values.length;
    const index = (k) => (wrap ? (k + 10 * side) % side : Math.min(side - 1, Math.max(0, k)));
    for (const out of [9, 20, 47]) {
      const { taps, weights } = lanczosTaps(side, out, wrap);
      for (let k = 0; k < out; k += 1) {
        let value = 0;
        for (let j = 0; j < 6; j += 1) value += weights[6 * k + j] * values[taps[6 * k + j]];
        const expected = direct(values, ((k + 0.5) * side) / out - 0.5, index);
        assert.ok(Math.abs(value - expected) < 1e-3, `${value} is not ${expected}`);
      }
    }
  });
}

test("an image is enlarged along both axes, channel by channel", () => {
  const side = 5;
  const out = 12;
  const source = new ImageData(side, side);
  const value = (row, column, c) => (37 * row + 11 * column * (c + 1)) % 256;
  for (let k = 0; k < side * side; k += 1) {
    for (let c = 0; c < 3; c += 1) source.data[4 * k + c] = value(Math.floor(k / side), k % side, c);
    source.data[4 * k + 3] = 255;
  }
  const result = enlarge(source, out, lanczosTaps(side, out));
  const index = (k) => Math.min(side - 1, Math.max(0, k));
  const at = (k) => ((k + 0.5) * side) / out - 0.5;
  for (let row = 0; row < out; row += 1) {
    for (let column = 0; column < out; column += 1) {
      for (let c = 0; c < 3; c += 1) {
        const across = Array.from({ length: side }, (_, r) =>
          direct(
            Array.from({ length: side }, (_unused, k) => value(r, k, c)),
            at(column),
            index,
          ),
        );
        const expected = Math.min(255, Math.max(0, direct(across, at(row), index)));
        assert.ok(Math.abs(result.data[4 * (row * out + column) + c] - expected) <= 1);
      }
      assert.equal(result.data[4 * (row * out + column) + 3], 255);
    }
  }
});
