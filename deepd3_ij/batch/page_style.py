"""Style and script of the page over all stacks; without the script it is a plain table."""

STYLE = """
:root { color-scheme: light; --ink: #1c1c24; --soft: #55555f; --line: #d8d8e0; --back: #f6f6fa; --lead: #4a2f8a; }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); margin: 0 auto; max-width: 1200px; padding: 1.2rem; }
h1 { font-size: 1.7rem; margin: 0; color: var(--lead); }
h2 { font-size: 1.15rem; margin: 1.6rem 0 .5rem; }
a { color: #3b3fae; }
small, summary { color: var(--soft); }
code { background: var(--back); padding: .1em .3em; border-radius: 3px; overflow-wrap: anywhere; }
.totals { list-style: none; display: flex; flex-wrap: wrap; gap: .6rem; padding: 0; margin: 1rem 0; }
.totals li { background: var(--back); border: 1px solid var(--line); border-radius: 6px; padding: .5rem .9rem;
  min-width: 8rem; color: var(--soft); }
.totals b { display: block; font-size: 1.35rem; color: var(--ink); }
.totals .bad, .totals .bad b { color: #9c1c1c; }
.failures { border-left: 4px solid #b32424; background: #fdf3f3; padding: .1rem 1rem .6rem; }
.failures summary { color: #7a1414; cursor: pointer; padding: .2rem 0; }
.failures ul { margin: .2rem 0 .6rem; padding-left: 1.3rem; overflow-wrap: anywhere; }
.tools { display: flex; gap: .6rem; align-items: center; margin-bottom: .5rem; }
.tools[hidden] { display: none; }
.tools input { font: inherit; padding: .3rem .5rem; width: 18rem; border: 1px solid #888; border-radius: 4px; }
button { font: inherit; padding: .3rem .7rem; border: 1px solid #888; border-radius: 4px; background: #fff;
  color: inherit; cursor: pointer; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: middle; }
th { position: sticky; top: 0; background: var(--back); font-weight: 600; white-space: nowrap; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--lead); }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
td.name { overflow-wrap: anywhere; min-width: 10rem; }
td.picture { width: 170px; }
td img { display: block; max-width: 160px; max-height: 130px; border-radius: 3px; background: #101014; }
.histogram { max-width: 560px; width: 100%; }
.histogram rect { fill: #6a7fb0; }
.histogram line { stroke: var(--soft); }
.histogram text { font-size: 12px; fill: var(--soft); }
.note { color: #7a1414; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  .tools { display: none; }
  tr, details, svg { break-inside: avoid; }
  th { position: static; }
  td img { max-width: 90px; max-height: 70px; }
  .wide { overflow: visible; }
}
"""

SCRIPT = """
(function () {
  "use strict";
  var table = document.getElementById("stacks");
  if (!table) { return; }
  var body = table.tBodies[0];
  var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
  var rows = Array.prototype.slice.call(body.rows);
  function value(row, column) {
    var text = row.cells[column].getAttribute("data-v");
    var number = Number(text);
    return text === "" ? null : isNaN(number) ? text.toLowerCase() : number;
  }
  function sort(column, falling) {
    var keyed = rows.map(function (row, place) { return [value(row, column), place, row]; });
    keyed.sort(function (a, b) {
      if (a[0] === b[0]) { return a[1] - b[1]; }
      if (a[0] === null) { return 1; }
      if (b[0] === null) { return -1; }
      var order = typeof a[0] === typeof b[0] ? (a[0] < b[0] ? -1 : 1) : (typeof a[0] === "number" ? -1 : 1);
      return falling ? -order : order;
    });
    var all = document.createDocumentFragment();
    keyed.forEach(function (entry) { all.appendChild(entry[2]); });
    body.appendChild(all);
  }
  heads.forEach(function (head, column) {
    if (column === 0) { return; }
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.appendChild(button);
    button.addEventListener("click", function () {
      var falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      sort(column, falling);
    });
  });
  var tools = document.querySelector(".tools");
  var box = document.createElement("input");
  box.type = "search";
  box.placeholder = "Show stacks whose name has\\u2026";
  box.setAttribute("aria-label", "Filter by name");
  var count = document.createElement("span");
  box.addEventListener("input", function () {
    var wanted = box.value.toLowerCase(), shown = 0;
    rows.forEach(function (row) {
      var fits = row.cells[1].textContent.toLowerCase().indexOf(wanted) >= 0;
      row.style.display = fits ? "" : "none";
      shown += fits ? 1 : 0;
    });
    count.textContent = wanted ? shown + " of " + rows.length : "";
  });
  function quoted(text) { return '"' + text.replace(/"/g, '""') + '"'; }
  var copy = document.createElement("button");
  copy.type = "button";
  copy.textContent = "Copy as CSV";
  copy.addEventListener("click", function () {
    var lines = [heads.slice(1).map(function (head) { return quoted(head.textContent); }).join(",")];
    Array.prototype.forEach.call(body.rows, function (row) {
      if (row.style.display === "none") { return; }
      lines.push(Array.prototype.slice.call(row.cells, 1).map(function (cell) {
        return quoted(cell.getAttribute("data-v"));
      }).join(","));
    });
    var area = document.createElement("textarea");
    area.value = lines.join("\\n");
    document.body.appendChild(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    count.textContent = "Copied";
  });
  tools.append(box, copy, count);
  tools.hidden = false;
})();
"""
