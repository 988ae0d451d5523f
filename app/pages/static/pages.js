// Conveniences only: every page works without this file.

const OPEN = "details.filter[open], details.menu[open]";

// Filters and menu close on Escape, which gives the focus back, and on a click beside them.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const each of document.querySelectorAll(OPEN)) {
      each.open = false;
      each.querySelector("summary").focus();
    }
  }
  const box = document.querySelector("input[type=search]");
  if (event.key === "/" && box && !event.target.closest("input, select, textarea")) {
    event.preventDefault();
    box.focus();
  }
});
document.addEventListener("click", (event) => {
  for (const each of document.querySelectorAll(OPEN)) {
    if (!each.contains(event.target)) each.open = false;
  }
});

// Times: UTC in the text, the reader's own as a title.
for (const each of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(each.dateTime);
  if (each.dateTime.includes("T") && !Number.isNaN(moment.valueOf())) each.title = moment.toLocaleString();
}

// Pictures: what is under the pointer, or under the arrow keys, is read out below.
for (const figure of document.querySelectorAll("figure[data-readout]")) {
  const chart = figure.querySelector("svg.chart");
  const out = figure.querySelector("output");
  const slots = () => [...chart.querySelectorAll(".slot[data-tip]")];
  if (!chart || !out || !slots().length) continue;
  const rest = out.textContent;
  let active = -1;
  const show = (index) => {
    const all = slots();
    all[active]?.classList.remove("active");
    active = index;
    all[active]?.classList.add("active");
    out.textContent = all[active]?.dataset.tip ?? rest;
  };
  chart.addEventListener("pointerover", (event) => {
    const slot = event.target.closest?.(".slot");
    if (slot) show(slots().indexOf(slot));
  });
  chart.addEventListener("pointerleave", () => show(-1));
  chart.addEventListener("focusin", (event) => {
    const slot = event.target.closest?.("a.slot");
    if (slot) show(slots().indexOf(slot));
  });
  if (chart.querySelector("a")) continue; // its marks are links: they take the focus themselves
  chart.setAttribute("tabindex", "0");
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const count = slots().length;
    show(Math.min(count - 1, Math.max(0, (active < 0 ? (step < 0 ? count : -1) : active) + step)));
  });
  chart.addEventListener("blur", () => show(-1));
}

// Tables: sort by a heading, filter by name, without a new page; the address follows.
const table = document.querySelector("table[data-sortable]");
if (table) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const status = document.querySelector("[data-status]");
  const say = (text) => {
    if (status) status.textContent = text;
  };
  const value = (row, column) => {
    const text = row.cells[column].dataset.v;
    if (text === undefined || text === "") return null;
    return Number.isNaN(Number(text)) ? text : Number(text);
  };
  const sort = (heading) => {
    const column = headings.indexOf(heading);
    const isName = heading.dataset.sort === "name";
    const now = heading.getAttribute("aria-sort");
    const falling = now ? now !== "descending" : !isName;
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      // No value comes last, whatever the direction.
      if (x === null || y === null) return (x === null) - (y === null);
      return (x < y ? -1 : x > y ? 1 : 0) * (falling ? -1 : 1);
    });
    for (const each of headings) each.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    body.append(...rows);
    const target = new URL(heading.querySelector("a").href);
    const typed = box?.value.trim();
    if (typed) target.searchParams.set("q", typed);
    history.replaceState(null, "", target);
    const order = isName ? (falling ? "Z first" : "A first") : falling ? "largest first" : "smallest first";
    say(`Sorted by ${heading.querySelector("a").textContent.trim()}, ${order}.`);
  };
  for (const heading of headings) {
    heading.querySelector("a")?.addEventListener("click", (event) => {
      event.preventDefault();
      sort(heading);
    });
  }
  const box = document.querySelector("input[data-filter]");
  box?.addEventListener("input", () => {
    const wanted = box.value.trim().toLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      row.hidden = !row.dataset.name.includes(wanted);
      if (!row.hidden) shown += 1;
    }
    say(`${shown} of ${body.rows.length} connectors`);
  });
}

// What is to be copied.
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
    button.textContent = "Copied";
  });
}
