// What a reader has chosen stands in the address, so that it can be copied, kept and sent.
// Every control with data-state="NAME" is read from there and written to it.

const controls = [...document.querySelectorAll("[data-state]")];

function told(name) {
  return new URLSearchParams(location.hash.slice(1)).get(name);
}

function first(control) {
  return control.tagName === "SELECT" ? (control.options[0]?.value ?? "") : "";
}

function readControls() {
  for (const control of controls) {
    control.value = told(control.dataset.state) ?? first(control);
    if (control.selectedIndex === -1) control.selectedIndex = 0; // no such choice here
  }
}

// more: {name: value} beside the controls; an empty value is left out, and so is a first choice.
function writeControls(more = {}) {
  const values = new URLSearchParams();
  for (const control of controls) {
    if (control.value !== first(control)) values.set(control.dataset.state, control.value);
  }
  for (const [name, value] of Object.entries(more)) if (value) values.set(name, value);
  history.replaceState(null, "", `#${values}`);
}

function counted(amount, one, many) {
  return `${amount.toLocaleString("en")} ${amount === 1 ? one : many}`;
}
