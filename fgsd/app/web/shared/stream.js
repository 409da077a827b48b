// Keeps the stream of messages open while an event waits for its own.
//
// Gradio's server ends the stream once every event of the session is answered. An event that is accepted
// while that news is on its way is never heard: its client takes the stream for open and closes it.

const END_OF_MESSAGE = "\n\n";
const HEAD = 100; // characters that hold the kind of a message

/**
 * Return `fetch` with one difference: if Gradio's stream ends while an accepted event is not completed, it is
 * opened again, and the client sees one stream.
 *
 * @param {typeof fetch} fetch
 * @returns {typeof fetch}
 */
export function keepStreamOpen(fetch) {
  /** @type {Set<string>} */
  const pending = new Set(); // ids of events that are accepted and not completed

  return async (input, init) => {
    const response = await fetch(input, init);
    const { pathname } = new URL(input instanceof Request ? input.url : input, document.baseURI);
    if (!response.ok || !response.body) return response;
    if (pathname.endsWith("/queue/join")) pending.add((await response.clone().json()).event_id);
    if (!pathname.endsWith("/queue/data")) return response;
    const messages = continued(response.body, pending, async () => (await fetch(input, init)).body);
    return new Response(bytesOf(messages), response);
  };
}

/**
 * Yield the messages of a stream, and of those that follow it while events are pending.
 *
 * @param {ReadableStream<Uint8Array>} first
 * @param {Set<string>} pending ids of events, of which those that complete are removed
 * @param {() => Promise<ReadableStream<Uint8Array> | null>} open the stream again
 * @returns {AsyncGenerator<string>}
 */
async function* continued(first, pending, open) {
  /** @type {ReadableStream<Uint8Array> | null} */
  let stream = first;
  while (stream) {
    let goOn = false;
    for await (const message of messagesOf(stream)) {
      const head = message.slice(0, HEAD);
      if (head.includes('"process_completed"')) {
        pending.delete(JSON.parse(message.slice(message.indexOf("{"))).event_id);
      }
      goOn = pending.size > 0 && head.includes('"close_stream"');
      if (!goOn) yield message;
    }
    stream = goOn ? await open() : null;
  }
}

/** @param {ReadableStream<Uint8Array>} stream @returns {AsyncGenerator<string>} each with its empty line */
async function* messagesOf(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const parts = (text + decoder.decode(value, { stream: true })).split(END_OF_MESSAGE);
      text = parts.pop() ?? "";
      for (const part of parts) yield part + END_OF_MESSAGE;
    }
  } finally {
    void reader.cancel().catch(() => undefined); // of a stream that has failed
  }
  if (text) yield text;
}

/** @param {AsyncGenerator<string>} texts @returns {ReadableStream<Uint8Array>} */
function bytesOf(texts) {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await texts.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await texts.return(undefined);
    },
  });
}
