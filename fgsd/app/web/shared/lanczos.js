// Enlarging with a Lanczos kernel of three lobes: clearly crisper for small textures than what browsers do.
// Stands before picture.js, in the same function.

// For each of `out` pixels: six neighbours among `side` pixels, and their weights. With `wrap` the picture
// continues at its other edge, else its edge pixels do.
function lanczosTaps(side, out, wrap = false) {
  const taps = new Int32Array(out * 6);
  const weights = new Float32Array(out * 6);
  const sinc = (t) => (t === 0 ? 1 : Math.sin(Math.PI * t) / (Math.PI * t));
  for (let k = 0; k < out; k += 1) {
    const place = ((k + 0.5) * side) / out - 0.5;
    const first = Math.floor(place) - 2;
    let sum = 0;
    for (let j = 0; j < 6; j += 1) {
      const distance = place - (first + j);
      const weight = Math.abs(distance) < 3 ? sinc(distance) * sinc(distance / 3) : 0;
      taps[k * 6 + j] = wrap ? (first + j + side) % side : Math.min(side - 1, Math.max(0, first + j));
      weights[k * 6 + j] = weight;
      sum += weight;
    }
    for (let j = 0; j < 6; j += 1) weights[k * 6 + j] /= sum;
  }
  return { taps, weights };
}

// A square ImageData, enlarged to `out` pixels of side.
function enlarge(source, out, { taps, weights }) {
  const side = source.width;
  const wide = new Float32Array(side * out * 3);
  for (let row = 0; row < side; row += 1) {
    for (let k = 0; k < out; k += 1) {
      for (let j = 0; j < 6; j += 1) {
        const from = (row * side + taps[k * 6 + j]) * 4;
        const weight = weights[k * 6 + j];
        const to = (row * out + k) * 3;
        for (let c = 0; c < 3; c += 1) wide[to + c] += weight * source.data[from + c];
      }
    }
  }
  const result = new ImageData(out, out); // its values are clamped and rounded as they are set
  const line = new Float32Array(out * 3);
  for (let k = 0; k < out; k += 1) {
    line.fill(0);
    for (let j = 0; j < 6; j += 1) {
      const from = taps[k * 6 + j] * out * 3;
      const weight = weights[k * 6 + j];
      for (let x = 0; x < out * 3; x += 1) line[x] += weight * wide[from + x];
    }
    for (let x = 0; x < out; x += 1) {
      const to = (k * out + x) * 4;
      for (let c = 0; c < 3; c += 1) result.data[to + c] = line[x * 3 + c];
      result.data[to + 3] = 255;
    }
  }
  return result;
}
