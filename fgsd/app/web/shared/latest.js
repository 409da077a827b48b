// Limits an async function to one call at a time, always with the newest argument.

/**
 * Wrap an async function so that one call runs at a time. Of the arguments that arrive during a call, only
 * the newest is used afterwards, so that requests of a drag do not queue up. An error of `run` rejects the
 * promise of the call that started the loop, and drops the argument that waits.
 *
 * @template A
 * @param {(argument: A) => Promise<unknown>} run
 * @returns {(argument: A) => Promise<void>} resolves when no argument waits any more; at once if a call is
 *  running
 */
export function latest(run) {
  /** @type {{ argument: A } | null} */
  let waiting = null;
  let running = false;
  return async (argument) => {
    waiting = { argument };
    if (running) return;
    running = true;
    try {
      while (waiting) {
        const next = /** @type {{ argument: A }} */ (waiting).argument;
        waiting = null;
        await run(next);
      }
    } finally {
      running = false;
      waiting = null;
    }
  };
}
