// The large files of the site: fetched once, with their progress, and kept by the browser.

/** @typedef {{ name: string, bytes: number }} SiteFile its name holds a digest of its content */

/** @param {SiteFile[]} files */
export const totalBytes = (files) => files.reduce((sum, { bytes }) => sum + bytes, 0);

/** The name of the cache, which other sites of the same address do not share. @param {string} base */
export const cacheName = (base) => `fgsd ${new URL(base).pathname}`;

/** @param {string} base @returns {Promise<Cache | null>} null where the browser keeps nothing */
async function openCache(base) {
  try {
    return await caches.open(cacheName(base));
  } catch {
    return null;
  }
}

/**
 * Whether the browser has all of these files, so that nothing has to be fetched.
 *
 * @param {string} base address of the site's folder
 * @param {SiteFile[]} files
 */
export async function areKept(base, files) {
  const cache = await openCache(base);
  if (!cache) return false;
  const found = await Promise.all(files.map(({ name }) => cache.match(new URL(name, base).href)));
  return found.every(Boolean);
}

/**
 * Return the content of a file: from the cache, or else from the network.
 *
 * @param {string} base address of the site's folder
 * @param {SiteFile} file
 * @param {(bytes: number) => void} arrived called with the bytes that have arrived since the last call
 * @returns {Promise<ArrayBuffer>}
 * @throws {Error} if it cannot be fetched as a whole; the message is a sentence
 */
export async function fetchFile(base, { name, bytes }, arrived) {
  const { href } = new URL(name, base);
  const cache = await openCache(base);
  const kept = await cache?.match(href);
  if (kept) {
    arrived(bytes);
    return kept.arrayBuffer();
  }
  const response = await fetch(href).catch(() => null);
  if (!response?.ok || !response.body) throw new Error("A part of this site cannot be loaded. Try again.");
  const content = new Uint8Array(bytes);
  let length = 0;
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (length + value.length <= bytes) content.set(value, length);
    length += value.length;
    arrived(value.length);
  }
  if (length !== bytes) throw new Error("A part of this site was not loaded as a whole. Try again.");
  // with its type, by which a browser takes a module for one; nothing is kept where the cache is full
  const headers = { "Content-Type": response.headers.get("Content-Type") ?? "application/octet-stream" };
  await cache?.put(href, new Response(content, { headers })).catch(() => undefined);
  return content.buffer;
}

/**
 * Unpack deflated bytes.
 *
 * @param {string} text base64 of them
 * @returns {Promise<Uint8Array>}
 */
export async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * Unpack a gzipped file; some servers have done so already.
 *
 * @param {ArrayBuffer} content
 * @returns {Promise<ArrayBuffer>}
 */
export function unzipped(content) {
  const [first, second] = new Uint8Array(content, 0, 2);
  if (first !== 0x1f || second !== 0x8b) return Promise.resolve(content);
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
