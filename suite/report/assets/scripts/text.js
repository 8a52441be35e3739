// What the other scripts build with: elements, numbers as people read them, files to take away.

const MISSING = "n/a";
const NOTHING = new Set([null, undefined, false]);
const FORMULA = /^[=+\-@\t\r]/; // what spreadsheets take for a formula

// An element; functions among its properties listen, children are nodes, texts, or nothing.
function make(tag, properties = {}, ...children) {
  const element = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (!NOTHING.has(value)) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => !NOTHING.has(child)));
  return element;
}

// About three significant digits, thousands apart.
function number(value) {
  if (value === null || value === undefined) return MISSING;
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e12)) return value.toExponential(1);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size ? 3 : 0;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

// A ratio with two decimals, a small one with two significant digits.
function factor(value) {
  if (value >= 1e6 || value < 1e-6) return value.toExponential(1);
  if (value < 0.005) return value.toPrecision(2);
  const digits = value >= 100 ? 0 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

// A ratio with its interval, of which nothing is known beyond ±1,000 %.
function times(value, low, high) {
  if (!(low > 0) || Math.max(high / value, value / low) > 11) return `${factor(value)} (not known)`;
  return `${factor(value)} (${factor(low)} to ${factor(high)})`;
}

// What stands where an interval would: how far apart its launches lie, in two significant digits.
function notDetermined(launches) {
  const apart = Math.max(...launches) / Math.min(...launches);
  if (launches.length < 2 || !Number.isFinite(apart)) return "not determined";
  const digits = apart < 1.095 ? 2 : apart < 9.95 ? 1 : 0;
  const fold = apart > 1e6 ? "more than 1,000,000" : (digits ? apart.toFixed(digits) : Number(apart.toPrecision(2)).toLocaleString("en"));
  return `not determined: launches differ ${fold}-fold`;
}

// Two launches' values.
function both(values, told) {
  return [...values].sort((one, two) => one - two).map(told).join(" and ");
}

function spaced(word) {
  return word ? word.replaceAll("_", " ") : MISSING;
}

function median(values) {
  const sorted = [...values].sort((one, two) => one - two);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// A name as plotly's labels may have it: short, and with nothing that it takes for markup.
function label(text, most = 28) {
  const short = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return short.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function csv(heads, rows) {
  const field = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const text = FORMULA.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [heads, ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

function download(name, text, type = "text/csv") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: address, download: name.replace(/[^\w.-]+/g, "-") }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// To the clipboard; where a browser keeps it shut, to a selection that can be copied by hand.
async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    prompt("Copy this:", text);
  }
  setTimeout(() => (button.textContent = before), 1500);
}

function plainTable(heads, rows, name) {
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
    make("table", {},
      make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, rows.map((row) => make("tr", {}, row.map((value) =>
        typeof value === "number"
          ? make("td", { class: "number", "data-value": value }, number(value))
          : make("td", {}, value ?? "")))))));
}
