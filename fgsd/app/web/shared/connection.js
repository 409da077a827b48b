// The visitor's connection.

/** Whether the visitor pays for what is loaded, as far as the browser says so. @returns {boolean} */
export function isMetered() {
  const { connection } = /** @type {any} */ (navigator);
  return Boolean(connection && (connection.saveData || connection.type === "cellular"));
}
