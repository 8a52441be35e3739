// The cards and the main table: every cell of the chosen metric, beside its baseline.

const NARROWEST = Math.log(1.25), WIDEST = Math.log(8); // of the axis that ratios stand on
const FEW = 6; // cards, which have room for intervals then
const cards = document.getElementById("cards");
const cells = document.getElementById("cells");

const text = (head, value) => ({ head, value, show: value });
const COLUMNS = [
  text("task", ({ cell }) => cell.task),
  text("phase", ({ cell }) => cell.phase),
  { head: "batch", numeric: true, value: ({ cell }) => cell.batch, show: ({ cell }) => cell.batch },
  ...["precision", "device"].filter((name) => allowed[name].length > 2).map((name) => text(name, ({ cell }) => cell[name])),
  { head: "arm", value: ({ cell }) => armOf(cell), show: ({ cell }) => opener(cell) },
  { head: "value", numeric: true,
    value: ({ cell }, metric) => cell.values[metric.key]?.[0] ?? null,
    show: ({ cell }, metric) => inLines(valueText(cell.values[metric.key], metric, cell.launches)) },
  { head: "relative", numeric: true,
    value: ({ relative }) => relative?.value ?? null,
    show: ({ relative }, metric) => (relative ? inLines(relativeText(relative, metric)) : MISSING) },
  { head: "axis", unsorted: true, show: ({ relative }, metric, span) => relative && ratioAxis(relative, metric, span) },
  { head: "verdict", value: ({ relative }) => relative?.verdict ?? "", show: ({ relative }) => verdict(relative) },
  { head: "tier", numeric: true, value: ({ cell }) => cell.tier, show: ({ cell }) => cell.tier ?? MISSING },
  { head: "parity", value: ({ cell }) => cell.parity ?? "", show: ({ cell }) => cell.parity ? badge(cell.parity) : MISSING },
  { head: "status", value: ({ cell }) => cell.status,
    show: ({ cell }) => [badge(cell.status), cell.reason && make("small", { class: "reason", title: cell.reason }, ` ${cell.reason}`)] },
];

// What stands in place of an interval is too long for one line.
function inLines(text) {
  const [value, why] = text.split(/ (?=\(not)/);
  return why ? [value, make("small", { class: "why" }, ` ${why}`)] : text;
}

function opener(cell) {
  return make("button", { type: "button", class: "open", "aria-haspopup": "dialog", click: () => go({ cell: cell.id }) },
    mark(cell), ` ${armOf(cell)}`);
}

function badge(word) {
  return make("span", { class: `badge ${word.toLowerCase()}` }, spaced(word));
}

function verdict(relative) {
  if (!relative || relative.same) return "";
  return make("span", relative.reason ? { title: relative.reason } : {}, relative.verdict
    ? badge(relative.verdict) : relative.reason ? make("small", {}, "no verdict") : "");
}

// How far the axis reaches to each side of the line, and where on it something stands, in percent.
function spanOf(rows, metric) {
  const ends = rows.flatMap(({ relative }) => (relative ? [relative.value, relative.low ?? relative.value, relative.high ?? relative.value] : []));
  if (isAccuracy(metric)) return Math.max(2, ...ends.map((end) => Math.abs(end)));
  const reached = ends.filter((end) => end > 0).map((end) => 1.05 * Math.abs(Math.log(end)));
  return Math.min(Math.max(NARROWEST, ...reached), WIDEST);
}

function placed(value, metric, span) {
  const share = isAccuracy(metric) ? value / span : value > 0 ? Math.log(value) / span : -1;
  return 50 + 50 * Math.max(-1, Math.min(1, share));
}

function ratioAxis(relative, metric, span) {
  const at = (value) => `${placed(value, metric, span).toFixed(2)}%`;
  const delta = isAccuracy(metric) ? 2 : results.delta;
  const band = isAccuracy(metric) ? [-delta, delta] : [1 - delta, 1 + delta];
  const width = placed(band[1], metric, span) - placed(band[0], metric, span);
  return make("svg:svg", { class: (relative.verdict ?? "none").toLowerCase(), role: "img", "aria-label": relativeText(relative, metric) },
    make("svg:rect", { class: "band", x: at(band[0]), width: `${width.toFixed(2)}%`, y: "0", height: "100%" }),
    make("svg:line", { class: "one", x1: "50%", x2: "50%", y1: "0", y2: "100%" }),
    relative.low !== null && make("svg:line", { class: "interval", x1: at(relative.low), x2: at(relative.high), y1: "50%", y2: "50%" }),
    make("svg:circle", { cx: at(relative.value), cy: "50%", r: "4" }));
}

function headOf(column, state, metric) {
  if (column.head === "value") return `${metric.unit} ${metric.better === "higher" ? "↑" : "↓"}`;
  if (column.head === "relative") return `${ofTimes(metric) ? "time " : ""}against ${baseText(state)}`;
  return column.head;
}

function axisHead(metric) {
  const sides = isAccuracy(metric) ? ["worse", "better"] : ["better", "worse"];
  return [sides[0], isAccuracy(metric) ? "0" : "1", sides[1]].map((word) => make("span", {}, word));
}

function sorted(rows, state, metric) {
  const [, falling, name] = /^(-?)(.*)$/.exec(state.sort);
  const column = COLUMNS.find(({ head, unsorted }) => head === name && !unsorted);
  if (!column) return rows;
  const missing = (value) => value === null || value === "";
  return rows.map((row) => ({ row, value: column.value(row, metric) })).sort((one, two) => {
    if (missing(one.value) || missing(two.value)) return missing(one.value) - missing(two.value); // last
    const order = column.numeric ? one.value - two.value : one.value.localeCompare(two.value);
    return falling ? -order : order;
  }).map(({ row }) => row);
}

function showTable(state) {
  const metric = metricNamed(state.metric);
  const rows = rowsFor(state);
  const span = spanOf(rows, metric);
  const [, falling, name] = /^(-?)(.*)$/.exec(state.sort);
  const focused = cells.contains(document.activeElement) ? document.activeElement.dataset.head : undefined;
  cells.tHead.replaceChildren(make("tr", {}, COLUMNS.map((column) => {
    if (column.unsorted) return make("th", { scope: "col", class: "axis" }, axisHead(metric));
    const sort = column.head === name ? (falling ? "descending" : "ascending") : "none";
    const turn = () => go({ sort: sort === "ascending" ? `-${column.head}` : column.head });
    return make("th", { scope: "col", "aria-sort": sort, class: column.numeric ? "number" : null },
      make("button", { type: "button", "data-head": column.head, click: turn }, headOf(column, state, metric)));
  })));
  let last = null;
  cells.tBodies[0].replaceChildren(...sorted(rows, state, metric).map((row) => {
    const top = !name && row.cell.group !== last;
    last = row.cell.group;
    return make("tr", { class: `${row.cell.status}${top ? " top" : ""}`, "data-cell": row.cell.id },
      COLUMNS.map((column) => {
        const value = column.value?.(row, metric);
        return make(column.head === "arm" ? "th" : "td", {
          scope: column.head === "arm" ? "row" : null,
          class: column.numeric ? "number" : column.head === "status" ? "state" : column.unsorted ? "axis" : null,
          "data-value": column.unsorted ? null : String(value ?? ""),
        }, column.show(row, metric, span));
      }));
  }));
  document.getElementById("nothing").hidden = rows.length > 0;
  if (focused) cells.querySelector(`[data-head="${focused}"]`)?.focus();
}

function showCards(state) {
  const metric = metricNamed(state.metric);
  const groups = Map.groupBy(rowsFor(state).filter(({ cell }) => cell.values[metric.key] && !cell.twin), ({ cell }) => cell.group);
  cards.classList.toggle("few", groups.size <= FEW);
  const sign = metric.better === "higher" ? -1 : 1;
  cards.replaceChildren(...[...groups].map(([place, rows]) => {
    const group = results.groups[place];
    rows.sort((one, two) => sign * (one.cell.values[metric.key][0] - two.cell.values[metric.key][0]));
    const most = Math.max(...rows.map(({ cell }) => cell.values[metric.key][0]));
    const timed = ofTimes(metric) && state.base === BEST;
    return make("article", { class: "panel card" },
      make("h3", {}, group.task, make("small", {}, ` ${results.setting ? group.short : group.setting}`)),
      timed && make("p", { class: "headline" }, group.headline, group.caution && make("small", { class: "why" }, ` ${group.caution}`)),
      make("ul", {}, rows.map((row) => cardLine(row, metric, most, groups.size <= FEW))));
  }));
}

function cardLine({ cell, relative }, metric, most, few) {
  const [value] = cell.values[metric.key];
  return make("li", {},
    make("span", { class: "name" }, mark(cell), ` ${cell.name}`),
    make("span", { class: `bar${cell.tier || !ofTimes(metric) ? "" : " unranked"}`, "aria-hidden": "true" },
      make("i", { style: `width: ${(100 * value / (most || 1)).toFixed(2)}%; background: ${cell.colour}` })),
    make("span", { class: "rate" }, number(value)),
    make("span", { class: "detail" }, relative ? relativeText(relative, metric, !few).replace(/:.*(?=\))/, "") : MISSING));
}

function tableCsv() {
  const metric = metricNamed(state.metric);
  const heads = [...DIMENSIONS, "status", "reason", "parity", "tier", `${metric.key} ${metric.unit}`, "low", "high", "baseline", ...["relative", "relative low", "relative high"].map((head) => (ofTimes(metric) ? `time ${head}` : head)), "verdict"];
  const rows = sorted(rowsFor(state), state, metric).map(({ cell, base, relative }) => {
    const [value, low, high] = cell.values[metric.key] ?? [];
    return [...DIMENSIONS.map((name) => cell[name]), cell.status, cell.reason, cell.parity, cell.tier, value, low, high,
      base && armOf(base), relative?.value, relative?.low, relative?.high, relative?.verdict];
  });
  download(`tribench-${metric.key}.csv`, csv(heads, rows));
}

cells.tBodies[0].addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  if (row && !event.target.closest("button") && !String(getSelection())) go({ cell: row.dataset.cell });
});
// The tables that came with the page: a row per cell, in the cells' order, and rows that say what
// they are about.
const everyNumber = [...document.getElementById("numbers").tBodies[0].rows];

function siftTables(state) {
  const shown = new Set(rowsFor(state).map(({ cell }) => cell.place));
  everyNumber.forEach((row, place) => (row.hidden = !shown.has(place)));
  for (const row of document.querySelectorAll("tr[data-task]")) row.hidden = !chosen(row.dataset, state);
}

views.push(showTable, showCards, siftTables);
