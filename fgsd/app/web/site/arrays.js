// Arrays that Python has written one after the other into a file, see `fgsd.app.site.arrays`.

/** @typedef {{ dtype: "float16" | "float32" | "int8", shape: number[], offset: number }} ArrayPlace where an
 *  array is, in bytes */

/** @type {Record<ArrayPlace["dtype"], [number, (bytes: ArrayBuffer) => Float32Array]>} bytes of a number, and
 *  how to decode many */
const TYPES = {
  float16: [2, (bytes) => decodeHalves(new Uint16Array(bytes))],
  float32: [4, (bytes) => new Float32Array(bytes)],
  int8: [1, (bytes) => Float32Array.from(new Int8Array(bytes))],
};

/**
 * Decode float16: JavaScript has no array of it in most browsers.
 *
 * @param {Uint16Array} halves
 * @returns {Float32Array}
 */
export function decodeHalves(halves) {
  return Float32Array.from(halves, (bits) => {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : fraction * 2 ** -24;
    return bits & 0x8000 ? -size : size;
  });
}

/**
 * @param {ArrayBuffer} buffer
 * @param {Record<string, ArrayPlace>} places
 * @returns {Record<string, Float32Array>}
 */
export function decodeArrays(buffer, places) {
  const decoded = Object.entries(places).map(([name, { dtype, shape, offset }]) => {
    const count = shape.reduce((product, side) => product * side, 1);
    const [size, decode] = TYPES[dtype];
    return [name, decode(buffer.slice(offset, offset + count * size))];
  });
  return Object.fromEntries(decoded);
}
