import "./stub_page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { keepStreamOpen } from "../../fgsd/app/web/shared/stream.js";

const JOIN = "http://page/gradio_api/queue/join?";
const DATA = "http://page/gradio_api/queue/data?session_hash=s";
const message = (msg, event_id = null, rest = {}) =>
  `data: ${JSON.stringify({ msg, event_id, ...rest })}\n\n`;
const CLOSE = message("close_stream");

/** A body that arrives in pieces of some bytes, which cut messages and characters apart. */
function inPieces(text, size) {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let k = 0; k < bytes.length; k += size) controller.enqueue(bytes.slice(k, k + size));
      controller.close();
    },
  });
}

/** A `fetch` whose streams hold the texts, one after the other, and whose joins accept the events in turn. */
function server(streams, events, size = 7) {
  const asked = [];
  const fetch = async (url) => {
    asked.push(new URL(url).pathname.split("/").at(-1));
    if (url === JOIN) return Response.json({ event_id: events.shift() });
    if (url !== DATA) return new Response("else");
    const text = streams.shift();
    return text === undefined ? Promise.reject(new TypeError("network")) : new Response(inPieces(text, size));
  };
  return { fetch: keepStreamOpen(fetch), asked };
}

test("a stream ends when every accepted event is completed", async () => {
  const text =
    message("process_generating", "a", { output: "石畳" }) + message("process_completed", "a") + CLOSE;
  const { fetch, asked } = server([text], ["a"]);
  assert.deepEqual(await (await fetch(JOIN)).json(), { event_id: "a" });
  assert.equal(await (await fetch(DATA)).text(), text);
  assert.deepEqual(asked, ["join", "data"]);
});

test("a stream that ends before an accepted event is completed goes on", async () => {
  const [first, second] = [message("process_completed", "a"), message("process_completed", "b") + CLOSE];
  const { fetch, asked } = server([first + CLOSE, second], ["a", "b"]);
  await fetch(JOIN);
  await fetch(JOIN);
  assert.equal(await (await fetch(DATA)).text(), first + second);
  assert.deepEqual(asked, ["join", "join", "data", "data"]);
});

test("a stream that cannot be opened again is an error", async () => {
  const { fetch } = server([CLOSE], ["a"]);
  await fetch(JOIN);
  await assert.rejects((await fetch(DATA)).text(), /network/);
});

test("an event whose values name the kinds of messages is no such message", async () => {
  const long = "x".repeat(100);
  const text = message("log", "a", { log: `${long}"close_stream" "process_completed"` });
  const { fetch, asked } = server([text, ""], ["a"]);
  await fetch(JOIN);
  assert.equal(await (await fetch(DATA)).text(), text);
  assert.equal(asked.length, 2);
});

test("other answers stay as they are", async () => {
  const { fetch } = server([], []);
  assert.equal(await (await fetch("http://page/theme.css")).text(), "else");
});
