"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const given = new Map();

// Sorts a table by a column: cells without a number or text last, the given order on the third click.
function sort(button) {
  const heading = button.closest("th"), body = button.closest("table").tBodies[0];
  const next = { none: "ascending", ascending: "descending", descending: "none" }[heading.getAttribute("aria-sort")];
  all("th[aria-sort]", heading.parentNode).forEach(other => other.setAttribute("aria-sort", "none"));
  heading.setAttribute("aria-sort", next);
  if (!given.has(body)) given.set(body, [...body.rows]);
  const sign = next === "descending" ? -1 : 1;
  const key = row => {
    const cell = row.cells[heading.cellIndex], marks = cell.querySelector("sup");
    const text = cell.textContent.slice(0, marks ? -marks.textContent.length : undefined).trim();
    if (heading.classList.contains("word")) return text;
    const number = parseFloat(text.replace(/^(?:[≥<]|over )\s*/, "").replaceAll(",", ""));
    return Number.isNaN(number) ? null : number;
  };
  const compare = (one, other) => typeof one === "string" ? one.localeCompare(other) : one - other;
  const rows = next === "none" ? given.get(body) : [...given.get(body)].sort((one, other) => {
    const a = key(one), b = key(other);
    return a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b);
  });
  body.append(...rows);
}

// Puts a part of the page in its place that came compressed.
async function unpack(part) {
  const bytes = Uint8Array.from(atob(part.dataset.packed), character => character.charCodeAt(0));
  const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  part.innerHTML = await new Response(text).text();
  delete part.dataset.packed;
}

// Shows what is of the chosen score, and of one environment: its verdict, columns and rows.
async function choose() {
  const score = document.getElementById("score").value;
  const environment = document.getElementById("environment")?.value || "";
  await Promise.all(all(`[data-score="${CSS.escape(score)}"][data-packed]`).map(unpack));
  all("[data-score]").forEach(part => { part.hidden = part.dataset.score !== score; });
  const other = name => Boolean(environment && name) && name !== environment;
  all("[data-environment]").forEach(part => { part.hidden = other(part.dataset.environment); });
  all("[role=tabpanel] table").forEach(table => {
    const hidden = all(".groups > *", table).flatMap(group => {
      group.hidden = other(group.textContent);
      return Array(group.colSpan).fill(group.hidden);
    });
    const column = all("th[aria-sort]", table).findIndex(heading => heading.textContent === "environment");
    all("tr:not(.groups)", table).forEach(row => {
      row.hidden = row.parentNode === table.tBodies[0] && column >= 0 && other(row.cells[column].textContent);
      [...row.cells].forEach((cell, at) => { cell.hidden = hidden[at] || false; });
    });
  });
}

// Tabs as the ARIA practices describe them: arrows move, only the open one takes part in tabbing.
const tabs = all("[role=tab]");
function open(tab) {
  tabs.forEach(each => {
    each.setAttribute("aria-selected", each === tab);
    each.tabIndex = each === tab ? 0 : -1;
    document.getElementById(each.getAttribute("aria-controls")).hidden = each !== tab;
  });
}
tabs.forEach((tab, at) => {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", event => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    open(next);
    next.focus();
  });
});

document.addEventListener("click", event => {
  const button = event.target.closest("th button");
  if (button) sort(button);
});
all(".choosers select").forEach(select => select.addEventListener("change", choose));
all("details:has([data-packed])").forEach(details => details.addEventListener("toggle", () => {
  all("[data-packed]", details).forEach(unpack);
}, { once: true }));
all(".choosers, .tabs").forEach(part => { part.hidden = false; });
if (tabs.length) { open(tabs[0]); choose(); }
