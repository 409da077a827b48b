// The browser's storage. If it is blocked or full, nothing is stored, and no error is thrown.

/**
 * @param {() => Storage} storage reading the property may throw, so it is read at each use
 */
function guarded(storage) {
  return {
    /** @param {string} key @returns {string | null} null also if the storage is blocked */
    get(key) {
      try {
        return storage().getItem(key);
      } catch {
        return null;
      }
    },
    /** @param {string} key @param {string} value @returns {boolean} whether it was stored */
    set(key, value) {
      try {
        storage().setItem(key, value);
        return true;
      } catch {
        return false;
      }
    },
    /** @param {string} key */
    remove(key) {
      try {
        storage().removeItem(key);
      } catch {
        // nothing is stored
      }
    },
  };
}

/** Storage of all tabs, until the visitor clears it. */
export const local = guarded(() => window.localStorage);
