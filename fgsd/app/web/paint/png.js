// Text in a PNG: an iTXt chunk after the header, which image programs leave alone or drop.

const SIGNATURE = 8; // bytes
const HEADER = SIGNATURE + 25; // end of the chunk IHDR
const TYPE = "iTXt";

/** @param {Uint8Array} bytes @returns {number} CRC-32 as PNG defines it */
export function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/**
 * Add a text to a PNG.
 *
 * @param {Uint8Array} png
 * @param {string} keyword ASCII
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function withText(png, keyword, text) {
  // not compressed, no language, no translated keyword
  const content = new TextEncoder().encode(`${TYPE}${keyword}\0\0\0\0\0${text}`);
  const chunk = new Uint8Array(content.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, content.length - TYPE.length);
  chunk.set(content, 4);
  view.setUint32(content.length + 4, crc32(content));
  const joined = new Uint8Array(png.length + chunk.length);
  joined.set(png.subarray(0, HEADER));
  joined.set(chunk, HEADER);
  joined.set(png.subarray(HEADER), HEADER + chunk.length);
  return joined;
}

/**
 * The text that `withText` has added.
 *
 * @param {Uint8Array} file any file
 * @param {string} keyword
 * @returns {string | null} null if there is none
 */
export function textOf(file, keyword) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const isPng = file.length > HEADER && view.getUint32(0) === 0x89504e47;
  for (let at = SIGNATURE; isPng && at + 8 <= file.length;) {
    const end = at + 8 + view.getUint32(at);
    if (end > file.length) return null;
    const content = new TextDecoder().decode(file.subarray(at + 4, end));
    const start = `${TYPE}${keyword}\0\0\0\0\0`;
    if (content.startsWith(start)) return content.slice(start.length);
    at = end + 4;
  }
  return null;
}
