// Two runs compared as suite/compare/runs.py does it, by the statistics of suite/compare/unpaired.py.
// base and new are digests; constants (FLOOR, ALONE, ENOUGH, NORMAL, AT_LEVEL, NEARLY, MACHINE) come
// from Python with the page. The result is the RunComparison that `tribench compare --json` prints.

function compareRuns(base, new_, constants) {
  const delta = Math.max(base.delta, new_.delta);
  const differences = environmentDifferences(base.environment, new_.environment, constants);
  const [mine, theirs] = [byCell(base), byCell(new_)];
  const left = { base: [], new: [], measured: [], other: [] }; // [BASE's cell, NEW's, why]
  const fit = [];
  const rest = [];
  for (const [key, ours] of mine) {
    const other = theirs.get(key);
    const why = other && otherWork(base, new_, ours.task);
    if (!other) left.base.push([ours, null, "only in BASE"]);
    else if (why) left.other.push([ours, other, why]);
    else if (!ours.logs || !other.logs) left.measured.push([ours, other, null]);
    else (stands([ours, other], "fit") ? fit : rest).push([ours, other, null]);
  }
  for (const [key, cell] of theirs) if (!mine.has(key)) left.new.push([null, cell, "only in NEW"]);
  const logsOf = (pairs) => pairs.map(([a, b]) => [a.logs, b.logs]);
  const { common, found } = changes(logsOf(fit), logsOf(rest), constants);
  const p_values = found.map((change) => change.p_value);
  const adjusted = [...holm(p_values.slice(0, fit.length)), ...p_values.slice(fit.length)];
  const comparable = !differences.some((each) => each.matters);
  const judge = (pair, change, p_value) => {
    if (!comparable || !stands(pair, "fit", "disturbed")) return null;
    return stands(pair, "fit") ? verdictOf(change, delta, p_value, constants) : "INCONCLUSIVE";
  };
  const judged = [...fit, ...rest].map(([ours, other], index) => {
    const { ratio, low, high } = found[index];
    const p_value = adjusted[index];
    return {
      ...cellOf(ours), ratio, low, high, p_value,
      launches: [ours.launches, other.launches],
      verdict: judge([ours, other], found[index], p_value),
      reason: noted(ours, other) || null,
    };
  });
  const first = judged.slice(0, fit.length);
  first.sort((a, b) => a.p_value - b.p_value || Math.abs(b.ratio - 1) - Math.abs(a.ratio - 1));
  const leftOut = [...left.base, ...left.new, ...left.measured, ...left.other];
  const silent = rest.filter(([ours, other]) => !stands([ours, other], "fit", "disturbed"));
  return {
    base: base.id, new: new_.id, comparable, delta,
    common: common.ratio, common_low: common.low, common_high: common.high,
    differences, changes: [...first, ...judged.slice(fit.length)],
    left_out: leftOut.map(lineOf),
    unjudged: [...silent, ...leftOut].filter(([ours, other]) => stopsGate(ours, other)).map(lineOf),
    inconclusive: judged.filter((change) => change.verdict === "INCONCLUSIVE").length,
  };
}

function stands(cells, ...standings) {
  return cells.every((cell) => standings.includes(cell.standing));
}

function stopsGate(base, new_) {
  return (base && base.standing !== "absent") || (new_ && (new_.status === "failed" || new_.standing === "unfit"));
}

function noted(base, new_) {
  const told = (where, cell) => cell?.note && `${cell.note} in ${where}${cell.reason ? `: ${cell.reason}` : ""}`;
  if (base?.note && base.note === new_?.note) return told("both", new_);
  return [told("BASE", base), told("NEW", new_)].filter(Boolean).join("; ");
}

function lineOf([base, new_, why]) {
  return `${cellName(base ?? new_)}: ${[why, noted(base, new_)].filter(Boolean).join("; ")}`;
}

const CELL = ["task", "phase", "backend", "execution", "precision", "device", "batch_size"];

function cellOf(cell) {
  return Object.fromEntries(CELL.map((name) => [name, cell[name]]));
}

function cellName(cell) {
  return `${cell.task} ${cell.phase} ×${cell.batch_size} ${cell.backend} ${cell.execution} ${cell.precision}`;
}

function byCell(run) {
  const cells = run.cells.filter((cell) => !cell.backend.endsWith("@aa"));
  return new Map(cells.map((cell) => [JSON.stringify(Object.values(cellOf(cell))), cell]));
}

function otherWork(base, new_, task) {
  const [ours, theirs] = [base.tasks[task] ?? {}, new_.tasks[task] ?? {}];
  if (ours.spec !== theirs.spec) return "another model or recipe";
  if (ours.data_hash !== theirs.data_hash) return "another data";
  return ours.weights === theirs.weights ? null : "a start from other weights";
}

function changes(pairs, others, { FLOOR, ALONE, ENOUGH, NORMAL, AT_LEVEL }) {
  const every = [...pairs, ...others];
  const ratios = every.map(([base, new_]) => new_[0] - base[0]); // of [mean, variance, freedom]
  const seen = ratios.slice(0, pairs.length);
  const enough = pairs.length >= ENOUGH;
  const common = enough ? median(seen) : 0;
  const spread = enough ? Math.max(FLOOR, NORMAL * median(seen.map((each) => Math.abs(each - common)))) : ALONE;
  const found = every.map(([base, new_], index) => {
    const ratio = ratios[index];
    const error = Math.sqrt(base[1] + new_[1] + spread ** 2);
    const parts = [base.slice(1), new_.slice(1), [spread ** 2, (enough ? pairs.length : ENOUGH) - 1]];
    const freedom = error ** 4 / sum(parts.map(([variance, each]) => variance ** 2 / each));
    const half = quantile(1 - AT_LEVEL, freedom) * error;
    const ends = [ratio, ratio - common];
    const nearest = ends[0] * ends[1] > 0 ? Math.min(...ends.map(Math.abs)) : 0;
    return {
      ratio: Math.exp(ratio),
      low: Math.exp(Math.min(...ends) - half),
      high: Math.exp(Math.max(...ends) + half),
      p_value: twoSided(nearest / error, freedom),
    };
  });
  if (!pairs.length) return { common: { ratio: 1, low: 1, high: 1 }, found };
  const middle = median(seen);
  const half = (quantile(1 - AT_LEVEL, Math.max(1, pairs.length - 1)) * spread) / Math.sqrt(pairs.length);
  return { common: { ratio: Math.exp(middle), low: Math.exp(middle - half), high: Math.exp(middle + half) }, found };
}

function verdictOf({ low, high }, delta, p_value, { AT_LEVEL }) {
  if (1 - delta <= low && high <= 1 + delta) return "EQUIVALENT";
  if (p_value > 1 - AT_LEVEL) return "INCONCLUSIVE";
  return high < 1 ? "FASTER" : low > 1 ? "SLOWER" : "INCONCLUSIVE";
}

function holm(values) {
  const order = values.map((_, index) => index).sort((a, b) => values[a] - values[b]);
  const adjusted = [];
  let most = 0;
  order.forEach((index, rank) => {
    most = Math.max(most, Math.min(1, (values.length - rank) * values[index]));
    adjusted[index] = most;
  });
  return adjusted;
}

function environmentDifferences(base, new_, { MACHINE, NEARLY }) {
  const found = [];
  for (const what of MACHINE) {
    const [a, b] = [base[what], new_[what]];
    const near = what === "memory_bytes" && Math.abs(a - b) <= NEARLY * Math.max(a, b);
    if (!near && shown(a) !== shown(b)) found.push({ what, base: shown(a), new: shown(b), matters: true });
  }
  const tell = (where, a, b, matters) => {
    for (const name of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
      const [mine, theirs] = [a[name] ?? "not set", b[name] ?? "not set"];
      if (mine !== theirs) found.push({ what: where + name, base: mine, new: theirs, matters });
    }
  };
  tell("setting ", base.settings, new_.settings, true);
  tell("", { system: base.system }, { system: new_.system }, false);
  tell("coordinator's ", base.coordinator, new_.coordinator, false);
  for (const part of ["backends", "facts"]) {
    const both = Object.keys(base[part]).filter((name) => name in new_[part]).sort();
    for (const name of both) tell(`${name}: `, base[part][name], new_[part][name], false);
  }
  return found;
}

function shown(value) {
  if (Array.isArray(value)) return value.join("; ") || "none";
  return value === true ? "yes" : value === false ? "no" : String(value);
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
