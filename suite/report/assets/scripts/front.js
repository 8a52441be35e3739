// The results of the chosen machine and phase; a phase that the machine has no results of cannot be
// chosen.

const fronts = [...document.querySelectorAll("section.front")];

function showFront() {
  const [on, phase] = ["on", "phase"].map((name) => controls.find((each) => each.dataset.state === name));
  if (!on) return;
  const here = fronts.filter((each) => each.dataset.on === on.value);
  for (const option of phase.options) option.disabled = !here.some((each) => each.dataset.phase === option.value);
  if (phase.selectedOptions[0].disabled) phase.value = here[0].dataset.phase;
  for (const each of fronts) each.hidden = !(each.dataset.on === on.value && each.dataset.phase === phase.value);
}
