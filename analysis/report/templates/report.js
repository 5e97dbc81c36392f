"use strict";
// Sorts a table by a column: rows without a number last, the original order on the third click.
function sort(button) {
  const heading = button.closest("th"), table = button.closest("table"), body = table.tBodies[0];
  const next = { none: "ascending", ascending: "descending", descending: "none" }[heading.getAttribute("aria-sort") || "none"];
  table.querySelectorAll("th[aria-sort]").forEach(other => other.setAttribute("aria-sort", "none"));
  heading.setAttribute("aria-sort", next);
  const at = Number(button.dataset.column), sign = next === "descending" ? -1 : 1;
  const key = row => next === "none" ? row.dataset.place : row.cells[at].dataset.value;
  const rows = [...body.rows].sort((one, other) => {
    const a = key(one), b = key(other);
    if (a === "" || b === "") return (a === "") - (b === "");
    const number = Number(a) - Number(b);
    return sign * (Number.isNaN(number) ? a.localeCompare(b) : number);
  });
  body.append(...rows);
}
// Shows the table of the chosen score and environment.
function choose() {
  const score = document.getElementById("score").value;
  const place = document.getElementById("environment");
  const environment = place ? place.value : "all";
  document.querySelectorAll("[data-score]").forEach(part => {
    part.hidden = part.dataset.score !== score || part.dataset.environment !== environment;
  });
}
document.querySelectorAll("th button").forEach(button => button.addEventListener("click", () => sort(button)));
document.querySelectorAll(".choosers select").forEach(select => select.addEventListener("change", choose));
if (document.querySelector(".choosers")) { document.querySelector(".choosers").hidden = false; choose(); }
