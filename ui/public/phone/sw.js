// The app's shell without a network: the page and what it loads. Never an answer of a service.
const SHELL = "yingqiao-phone-shell";
const PAGE = "/phone/";

async function keepShell(page) {
  const cache = await caches.open(SHELL);
  const loads = [...new Set((await page.clone().text()).match(/\/ui\/assets\/[\w.-]+/g) ?? [])];
  const missing = [];
  for (const path of loads) if (!(await cache.match(path))) missing.push(path);
  await cache.addAll(missing);
  await cache.put(PAGE, page);
  for (const kept of await cache.keys()) {
    const path = new URL(kept.url).pathname;
    if (path.startsWith("/ui/assets/") && !loads.includes(path)) await cache.delete(kept);
  }
}

async function freshPage() {
  const page = await fetch(PAGE, { cache: "no-cache" });
  if (!page.ok) throw new Error("no page");
  await keepShell(page.clone());
  return page;
}

async function page() {
  try {
    return await freshPage();
  } catch {
    return (await caches.match(PAGE)) ?? Response.error();
  }
}

async function asset(request) {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(freshPage());
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== self.location.origin) return;
  if (event.request.mode === "navigate" && pathname === PAGE) event.respondWith(page());
  else if (pathname.startsWith("/ui/assets/")) event.respondWith(asset(event.request));
});
