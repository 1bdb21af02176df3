// What a program in the viewer's frame could try; each way is tried alone.  `there` is a listener, `here` the desk.
// A way that throws is refused, and so is one of which nothing comes.

(async (there, here) => {
  const link = (rel) => document.head.append(Object.assign(document.createElement("link"), { rel, href: there }));
  const loaded = (it) => new Promise((done, reject) => Object.assign(it, { onload: done, onerror: reject }));
  const ways = {
    fetch: () => fetch(there),
    own: () => fetch(here),
    request: () => {
      const asked = new XMLHttpRequest();
      asked.open("GET", there, false);
      asked.send();
    },
    socket: () => new Promise((_, reject) => (new WebSocket(there.replace("http", "ws")).onerror = reject)),
    events: () => new Promise((_, reject) => (new EventSource(there).onerror = reject)),
    picture: () => loaded(Object.assign(new Image(), { src: there })),
    font: () => new FontFace("x", `url(${there})`).load(),
    script: () => {
      const it = Object.assign(document.createElement("script"), { src: there });
      document.head.append(it);
      return loaded(it);
    },
    module: () => import(there),
    worker: () => new Promise((_, reject) => (new Worker(there).onerror = reject)),
    inWorker: () => {
      const program = `fetch("${there}").then(() => postMessage(true), () => postMessage(false))`;
      const worker = new Worker(URL.createObjectURL(new Blob([program])));
      return new Promise((done, reject) => (worker.onmessage = ({ data }) => (data ? done() : reject(new Error("no")))));
    },
    window: () => {
      if (!open(there)) throw new Error("refused");
    },
    top: () => void (top.location = there),
    page: () => parent.document.body,
    call: () => new RTCPeerConnection({ iceServers: [{ urls: there.replace("http://", "stun:") }] }).createDataChannel("x"),
    transport: () => new WebTransport(there.replace("http", "https")).ready,
    storage: () => localStorage.setItem("x", "x"),
    database: () => {
      const asked = indexedDB.open("x");
      return new Promise((done, reject) => Object.assign(asked, { onsuccess: done, onerror: reject }));
    },
    caches: () => caches.open("x"),
    cookie: () => void (document.cookie = "x=x"),
    service: () => navigator.serviceWorker.register(here),
    evaluated: () => new Function("return 1")(),
  };
  // Of these, only the listener can tell whether they were refused.
  const silent = {
    beacon: () => navigator.sendBeacon(there, "x"),
    style: () => link("stylesheet"),
    prefetch: () => link("prefetch"),
    form: () => {
      const form = Object.assign(document.createElement("form"), { action: there });
      document.body.append(form);
      form.submit();
    },
    frame: () => document.body.append(Object.assign(document.createElement("iframe"), { src: there })),
    connect: () => link("preconnect"), // not in Firefox
  };
  const done = [];
  for (const [name, way] of Object.entries(ways)) {
    const late = new Promise((_, reject) => setTimeout(reject, 2000));
    try {
      await Promise.race([way(), late]);
      done.push(name);
    } catch {}
  }
  for (const way of Object.values(silent)) {
    try {
      way();
    } catch {}
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  return done;
})
