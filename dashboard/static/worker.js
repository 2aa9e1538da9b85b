// The app's service worker: when the dashboard cannot be reached it says so, and does nothing more.
// Nothing is answered from memory while the network answers: a press must never seem to be sent.

const CACHE = "press-2";
const OFFLINE = "/press/offline.html";
const KEPT = [OFFLINE, "/static/icon.svg", "/static/theme.js", "/static/tokens.css", "/static/shell.css", "/static/press.css"];

addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(KEPT)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
    .then(() => clients.claim()));
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  else if (KEPT.includes(pathname)) event.respondWith(fetch(request).catch(() => caches.match(pathname)));
});
