// The live page, and the page that waits for the first event. Without this file they are snapshots that a
// reload renews.

const MOST = 200; // rows of the list
const EVERY = 500; // milliseconds between two changes of the list, however fast events come

const waiting = document.querySelector("[data-waiting]");
if (waiting) {
  const source = new EventSource(waiting.dataset.waiting);
  const turn = () => location.reload();
  source.addEventListener("accepted", turn);
  source.addEventListener("minute", (message) => {
    if (JSON.parse(message.data).accepted > 0) turn();
  });
}

const list = document.querySelector("[data-stream]");
if (list) {
  const pause = document.querySelector("[data-pause]");
  const state = document.querySelector("[data-state]");
  const arrived = [];
  let paused = false;

  const show = (event) => {
    const item = document.createElement("li");
    if (event.state === "failed") item.className = "failed-row";
    const parts = { time: event.time, event: event.event, state: event.state, connector: event.connector };
    parts[event.error ? "error" : "cache"] = event.error ?? event.cache;
    parts.version = event.version;
    for (const [name, text] of Object.entries(parts)) {
      const cell = document.createElement(name === "time" ? "time" : "span");
      cell.className = name;
      cell.textContent = text ?? ""; // text, never markup
      item.append(cell);
    }
    return item;
  };
  const flush = () => {
    if (paused || !arrived.length) return;
    list.prepend(...arrived.splice(0).reverse().map(show));
    while (list.children.length > MOST) list.lastElementChild.remove();
  };

  const source = new EventSource(list.dataset.stream);
  source.addEventListener("accepted", (message) => {
    arrived.push(JSON.parse(message.data));
    if (arrived.length > MOST) arrived.shift();
  });
  source.addEventListener("minute", (message) => {
    for (const [name, number] of Object.entries(JSON.parse(message.data).totals ?? {})) {
      const place = document.querySelector(`[data-total="${name}"]`);
      if (place) place.textContent = Number(number).toLocaleString("en");
    }
  });
  source.addEventListener("omitted", (message) => {
    state.textContent = `Live; ${JSON.parse(message.data).events} more than can be shown`;
  });
  source.addEventListener("open", () => {
    state.textContent = "Live";
  });
  source.addEventListener("error", () => {
    state.textContent = "Connection lost; trying again";
  });
  setInterval(flush, EVERY);
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    flush();
  });
}
