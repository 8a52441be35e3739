// Two runs side by side: as Python compared them, where the page has a comparison in itself, or as
// they are compared here, where the site has the reader choose them.

const table = document.getElementById("rows");
const rows = setUpRows(table, { one: "cell", many: "cells" });
const own = document.getElementById("comparison");
const site = JSON.parse(document.getElementById("site")?.textContent ?? "null"); // {runs, constants}
const WIDEST = Math.log(8);
const NARROWEST = Math.log(1.25);

function listed(names) {
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : (names[0] ?? "");
}

function show(found, names) {
  document.getElementById("title").replaceChildren(names.base, " → ", names.new);
  showBanner(found);
  const findings = [...amounts(found), common(found), unpaired()].filter(Boolean);
  document.getElementById("findings").replaceChildren(
    ...findings.map(([kind, title, text]) => make("li", { class: kind }, make("strong", {}, title), ` ${text}`)),
  );
  showDifferences(found.differences);
  for (const name of ["task", "phase", "backend"]) {
    const select = controls.find((control) => control.dataset.state === name);
    const values = [...new Set(found.changes.map((change) => change[name]))].sort();
    const options = values.map((value) => make("option", { value }, value));
    select.replaceChildren(select.options[0], ...options);
  }
  const reached = found.changes.flatMap(({ low, high }) => [low, high]).map((ratio) => 1.05 * Math.abs(Math.log(ratio)));
  const span = Math.min(Math.max(NARROWEST, ...reached), WIDEST);
  table.tBodies[0].replaceChildren(...found.changes.map((change, number) => rowOf(change, number, found.delta, span)));
  document.getElementById("delta").textContent = `1 ± ${+(100 * found.delta).toFixed(6)} %`;
  showLines("unjudged", found.unjudged);
  showLines("left-out", found.left_out.filter((line) => !found.unjudged.includes(line)));
  readControls();
  rows.read();
}

function showLines(id, lines) {
  const part = document.getElementById(id);
  part.querySelector("ul").replaceChildren(...lines.map((line) => make("li", {}, line)));
  part.hidden = !lines.length;
}

function showBanner(found) {
  const banner = document.getElementById("banner");
  banner.hidden = found.comparable;
  const apart = found.differences.filter((each) => each.matters).map((each) => each.what);
  banner.replaceChildren(
    make("strong", {}, "NOT COMPARABLE"),
    ` The runs differ in ${listed(apart)}: their times are shown, and nothing is judged.`,
  );
}

function amounts({ comparable, changes, delta, unjudged }) {
  const silent = [["bad", `${unjudged.length} not judged`, "BASE had them, or they failed in NEW or have no parity: a gate stops at them. They are listed below."]];
  const more = unjudged.length ? silent : [];
  if (!changes.length) return [["caution", "Nothing was measured in both", "No cell of one run is the same work in the other."], ...more];
  if (!comparable) return more;
  const of = (verdict) => changes.filter((change) => change.verdict === verdict);
  const all = counted(changes.length, "cell", "cells");
  const range = (some) => {
    const ratios = some.map((change) => change.ratio).sort((a, b) => a - b);
    if (!ratios.length) return `Of ${all}, beyond chance, adjusted for all of them.`;
    const [least, most] = [factor(ratios[0]), factor(ratios.at(-1))];
    return `of ${all}: ${least === most ? least : `${least} to ${most}`} times as long.`;
  };
  const [slower, faster] = [of("SLOWER"), of("FASTER")];
  const same = of("EQUIVALENT").length;
  return [
    [slower.length ? "bad" : more.length ? "" : "good", `${slower.length} slower`, range(slower)],
    ["good", `${faster.length} faster`, range(faster)],
    ["", `${same} unchanged`, `Within ${+(100 * delta).toFixed(6)} % with the whole interval; of the other ${of("INCONCLUSIVE").length} it cannot be said.`],
    ...more,
  ];
}

function common(found) {
  if (found.common_low === found.common_high) return null; // no cell can be judged
  const title = `All cells together: ${times(found.common, found.common_low, found.common_high)} times as long`;
  return ["caution", title, "What the machine, or an upgrade, did to all of them. A cell has changed only where it shows both with and without it."];
}

function unpaired() {
  return ["caution", "Unpaired", "Nothing cancels between two runs, so the intervals are wide. Two versions are better compared as two arms of one run."];
}

function showDifferences(differences) {
  const body = document.getElementById("differences").tBodies[0];
  body.replaceChildren(
    ...differences.map((each) =>
      make("tr", {}, make("th", { scope: "row", class: "wrap" }, each.what), ...[each.base, each.new].map((text) => make("td", { class: "wrap" }, text)),
        make("td", { class: each.matters ? "why" : "" }, each.matters ? "times cannot be compared" : "")),
    ),
  );
  document.getElementById("apart").hidden = !differences.length;
  document.getElementById("alike").hidden = differences.length > 0;
}

function rowOf(change, number, delta, span) {
  const told = times(change.ratio, change.low, change.high);
  const verdict = change.verdict;
  const kinds = { SLOWER: ["changed", "regressed"], FASTER: ["changed", "improved"] }[verdict] ?? [];
  const small = `${change.phase} ×${change.batch_size} ${change.precision} ${change.device}`;
  const cells = [
    [make("td", {}, change.task, " ", make("small", {}, small)), `${change.task} ${change.phase} ${change.batch_size}`],
    [make("th", { scope: "row" }, `${change.backend} ${change.execution}`), `${change.backend} ${change.execution}`],
    [make("td", { class: "number" }, told), change.ratio],
    [make("td", { class: "axis" }, ratioAxis(change, told, delta, span)), change.ratio],
    [make("td", {}, make("span", { class: `badge ${(verdict ?? "none").toLowerCase()}` }, verdict ?? "no verdict"),
      change.reason && make("small", { class: "reason" }, change.reason)), verdict ?? ""],
    [make("td", { class: "number" }, chance(change)), verdict ? change.p_value : ""],
    [make("td", {}, change.launches.join(", ")), ""],
  ];
  for (const [cell, value] of cells) cell.dataset.value = value;
  const row = make("tr", {}, ...cells.map(([cell]) => cell));
  row.dataset.number = number;
  for (const name of ["task", "phase", "backend"]) row.dataset[name] = JSON.stringify([change[name]]);
  row.dataset.change = JSON.stringify(kinds);
  return row;
}

function chance({ verdict, p_value }) {
  if (!verdict) return MISSING;
  return p_value < 0.001 ? "< 0.001" : p_value.toFixed(3);
}

// The interval on the logarithmic axis that all rows share, 1 in the middle.
function ratioAxis({ ratio, low, high, verdict }, told, delta, span) {
  const place = (value) => `${50 + 50 * Math.max(-1, Math.min(1, Math.log(value) / span))}%`;
  const [from, to] = [place(1 - delta), place(1 + delta)];
  return make("svg:svg", { class: (verdict ?? "none").toLowerCase(), role: "img", "aria-label": told },
    make("svg:rect", { class: "band", x: from, width: `${parseFloat(to) - parseFloat(from)}%`, y: 0, height: "100%" }),
    make("svg:line", { class: "one", x1: "50%", x2: "50%", y1: 0, y2: "100%" }),
    make("svg:line", { class: "interval", x1: place(low), x2: place(high), y1: "50%", y2: "50%" }),
    make("svg:circle", { cx: place(ratio), cy: "50%", r: 4 }));
}

async function readAddress() {
  readControls();
  if (own) return show(JSON.parse(own.textContent), JSON.parse(own.dataset.names));
  if (!site.runs.length) return null;
  const [base, later] = ["base", "new"].map((name) => controls.find((control) => control.dataset.state === name));
  if (!told("base") && !told("new") && site.pair) {
    [base.value, later.value] = site.pair;
    rows.write();
  }
  const chosen = [base, later].map((control) => site.runs.find((run) => run.id === control.value));
  const message = document.getElementById("message");
  try {
    const [mine, theirs] = await Promise.all(chosen.map((run) => load(`${run.id}/run.js`)));
    message.textContent = "";
    return show(compareRuns(mine, theirs, site.constants), { base: chosen[0].name, new: chosen[1].name });
  } catch (error) {
    message.textContent = error.message;
    return null;
  }
}

for (const control of controls) {
  control.addEventListener("input", async () => {
    const runs = ["base", "new"].includes(control.dataset.state);
    rows.write();
    if (runs) await readAddress();
    else rows.show();
  });
}
document.getElementById("swap")?.addEventListener("click", () => {
  const [base, later] = ["base", "new"].map((name) => controls.find((control) => control.dataset.state === name));
  [base.value, later.value] = [later.value, base.value];
  rows.write();
  readAddress();
});
addEventListener("hashchange", readAddress);
readAddress();
