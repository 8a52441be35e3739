// What the reader looks at, kept in the address: copy it, and land in the same state.

const defaults = {}; // name: what it is if the address does not say
const allowed = {}; // name: the values that it may have; without an entry any text
const views = []; // functions that show a state
let state = {};

// A part of the state; its first value is the default.
function remember(name, values) {
  defaults[name] = values[0];
  allowed[name] = values;
}

function readState() {
  const told = new URLSearchParams(location.hash.slice(1));
  state = {};
  for (const [name, usual] of Object.entries(defaults)) {
    const value = told.get(name) ?? usual;
    state[name] = !allowed[name] || allowed[name].includes(value) ? value : usual;
  }
}

function address(changed = {}) {
  const told = Object.entries({ ...state, ...changed }).filter(([name, value]) => value !== defaults[name]);
  return `#${new URLSearchParams(told)}`;
}

function show() {
  for (const view of views) view(state);
}

// Change the state; quietly: without a step for the back button, as for every letter of a search.
function go(changed, quietly = false) {
  const next = address(changed);
  if (next === address()) return;
  history[quietly ? "replaceState" : "pushState"](null, "", next);
  readState();
  show();
}

addEventListener("popstate", () => {
  readState();
  show();
});
