// Keeps the last state of each page, so that it can be read without a connection, with its age: app.js says how old it is.
"use strict";
const CACHE = "sep-@VERSION@";
const FILES = ["/offline", "/static/app.css", "/static/app.js", "/static/icon.svg", "/manifest.webmanifest"];
self.addEventListener("install", event => event.waitUntil(caches.open(CACHE).then(c => c.addAll(FILES)).then(() => self.skipWaiting())));
self.addEventListener("activate", event => event.waitUntil(
  caches.keys().then(names => Promise.all(names.filter(n => n !== CACHE).map(n => caches.delete(n)))).then(() => self.clients.claim())));
self.addEventListener("fetch", event => {
  const request = event.request, url = new URL(request.url);
  // What may not be old is never kept: data, streams, logins, what changes something.
  if (request.method !== "GET" || url.origin !== location.origin || url.pathname.startsWith("/api/") || ["/login", "/logout", "/docs", "/openapi.json", "/metrics"].includes(url.pathname)) return;
  const wanted = request.mode === "navigate";
  event.respondWith(fetch(request).then(answer => {
    if (answer.ok && !answer.redirected) { const copy = answer.clone(); caches.open(CACHE).then(c => c.put(request, copy)); }
    return answer;
  }).catch(() => caches.match(request, {ignoreSearch: !wanted}).then(kept => kept || (wanted ? caches.match("/offline") : Response.error()))));
});
self.addEventListener("message", event => { if (event.data === "forget") caches.delete(CACHE); });
