"use strict";
const form = document.getElementById("filter");
const cases = [...document.querySelectorAll(".cases details")];
const filter = () => {
  const { suite, verdict, text } = form.elements;
  const words = text.value.toLowerCase().split(/\s+/);
  let shown = 0;
  for (const one of cases) {
    const content = one.textContent.toLowerCase();
    one.hidden = (suite.value && one.dataset.suite !== suite.value)
      || (verdict.value && one.dataset.verdict !== verdict.value)
      || !words.every((word) => content.includes(word));
    shown += one.hidden ? 0 : 1;
  }
  form.querySelector("output").textContent = `${shown} of ${cases.length} cases`;
};
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = false;
filter();
