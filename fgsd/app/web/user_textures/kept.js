// Textures that the browser keeps across reloads, as texture files, in IndexedDB. Where that is blocked or
// full, nothing is kept, and no error is thrown.

/** @typedef {{ network: string, name: string, file: Uint8Array, saved: number }} Kept `saved` is a time */

const DATABASE = "fgsd";
const STORE = "textures";
const MAX_KEPT = 8; // of one network, as `MAX_USER_TEXTURES` in `fgsd.app.limits`; the oldest gives way

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const request = window.indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: ["network", "name"] });
    request.onsuccess = () => resolve(request.result);
    request.onerror = request.onblocked = () => reject(request.error);
  });
}

/**
 * Run one transaction; `fallback` if the browser refuses it.
 *
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {T} fallback
 * @param {(store: IDBObjectStore) => IDBRequest<T> | void} run
 * @returns {Promise<T>}
 */
async function transact(mode, fallback, run) {
  try {
    const database = await open();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction(STORE, mode);
        const request = run(transaction.objectStore(STORE));
        transaction.oncomplete = () => resolve(request ? request.result : fallback);
        transaction.onerror = transaction.onabort = () => reject(transaction.error);
      });
    } finally {
      database.close();
    }
  } catch {
    return fallback;
  }
}

/**
 * The textures of a network.
 *
 * @param {string} network digest of its weights
 * @returns {Promise<Kept[]>} oldest first
 */
export async function keptTextures(network) {
  const range = IDBKeyRange.bound([network], [network, []]);
  /** @type {Kept[]} */
  const found = await transact("readonly", [], (store) => store.getAll(range));
  return found.sort((a, b) => a.saved - b.saved);
}

/**
 * Keep a texture; one of the same name is replaced, and the oldest gives way.
 *
 * @param {string} network
 * @param {string} name
 * @param {Uint8Array} file
 * @returns {Promise<boolean>} whether it is kept
 */
export async function keepTexture(network, name, file) {
  const kept = await keptTextures(network);
  const others = kept.filter((one) => one.name !== name);
  const saved = kept.find((one) => one.name === name)?.saved ?? Date.now();
  const key = await transact("readwrite", /** @type {IDBValidKey} */ (""), (store) => {
    const surplus = Math.max(0, others.length + 1 - MAX_KEPT);
    for (const { name: old } of others.slice(0, surplus)) store.delete([network, old]);
    return store.put({ network, name, file, saved });
  });
  return Boolean(key);
}

/** @param {string} network @param {string} name */
export async function dropTexture(network, name) {
  await transact("readwrite", undefined, (store) => {
    store.delete([network, name]);
  });
}

/** @param {Uint8Array} bytes @returns {string} */
export function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** @param {string} text @returns {Uint8Array} */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
