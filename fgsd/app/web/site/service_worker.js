// The service worker: the site works without internet after the first visit, and its pages are isolated from
// others, so that the browser gives them threads.
import { cacheName } from "./files.js";

/**
 * @param {Response} response
 * @returns {Response} the same with the headers by which a browser isolates a page
 */
export function isolated(response) {
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/**
 * @param {any} scope the global scope of the service worker
 * @param {string[]} files of this version of the site; their names hold a digest of their content
 * @param {string[]} first those of them that the first screen needs
 */
export function serve(scope, files, first) {
  const base = new URL("./", scope.location.href).href;
  const kept = new Set(files.map((name) => new URL(name, base).href));
  const open = () => caches.open(cacheName(base));

  scope.addEventListener("install", (/** @type {any} */ event) => {
    void scope.skipWaiting();
    event.waitUntil(open().then((cache) => cache.addAll([base, ...first.map((name) => base + name)])));
  });

  async function clean() {
    const cache = await open();
    const stale = (await cache.keys()).filter(({ url }) => url !== base && !kept.has(url));
    await Promise.all(stale.map((request) => cache.delete(request)));
    await scope.clients.claim();
  }
  scope.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(clean()));

  /** The page itself is asked for anew, where there is a network. */
  async function page() {
    const cache = await open();
    const answer = await fetch(base, { cache: "no-cache" }).catch(() => null);
    if (!answer?.ok) return (await cache.match(base)) ?? Response.error();
    await cache.put(base, answer.clone());
    return answer;
  }

  /** @param {Request} request */
  async function file(request) {
    const cache = await open();
    const known = await cache.match(request.url);
    if (known) return known;
    const answer = await fetch(request);
    if (answer.ok) await cache.put(request.url, answer.clone());
    return answer;
  }

  scope.addEventListener("fetch", (/** @type {any} */ event) => {
    const { request } = event;
    const url = request.url.split(/[?#]/)[0];
    if (request.method !== "GET") return;
    if (request.mode === "navigate" && (url === base || url === `${base}index.html`)) {
      event.respondWith(page().then(isolated));
    } else if (kept.has(url)) event.respondWith(file(request).then(isolated));
  });
}
