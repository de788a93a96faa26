"use strict";
(function () {
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));

  // Findings: by outcome, severity, host and words. What is found is opened.
  const form = document.querySelector(".filters");
  const rows = form ? all(".finding") : [];
  const sections = all("details.host");
  const texts = new Map();
  const text = (row) => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };
  function filter() {
    const data = new FormData(form);
    const outcomes = data.getAll("outcome");
    const severity = data.get("severity");
    const host = data.get("host") || "";
    const words = data.get("words").toLowerCase().split(/\s+/).filter(Boolean);
    const active = Boolean(outcomes.length || severity || host || words.length);
    const found = new Map();
    let number = 0;
    for (const row of rows) {
      const section = row.closest(".host");
      const matches = (!outcomes.length || outcomes.includes(row.dataset.outcome)) &&
        (!severity || severity === row.dataset.severity) &&
        (!host || (section && host === section.dataset.host)) &&
        words.every((word) => text(row).includes(word));
      row.hidden = !matches;
      if (matches) number += 1;
      const list = row.closest(".all");
      found.set(list, found.get(list) || matches);
    }
    for (const [list, some] of found) list.open = active && some;
    for (const section of sections) {
      const list = section.querySelector(".all");
      const shown = list ? found.get(list) : host === section.dataset.host;
      section.hidden = active && !shown;
      section.open = active && shown && (Boolean(host) || sections.length < 6);
    }
    form.querySelector("output").textContent = active ? number + " found" : "";
  }
  if (form) {
    form.hidden = false;
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  // Tables: a click on a heading sorts by its column.
  for (const table of all("table[data-sortable]")) {
    all("th", table).forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = heading.getAttribute("aria-sort") !== "ascending";
        all("th", table).forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", up ? "ascending" : "descending");
        const key = (row) => row.cells[column].dataset.key || row.cells[column].textContent;
        const sorted = Array.from(table.tBodies[0].rows).sort((a, b) =>
          key(a).localeCompare(key(b), undefined, { numeric: true }) * (up ? 1 : -1));
        table.tBodies[0].append(...sorted);
      });
    });
  }

  // Steps: all commands of a cause at once.
  for (const fix of all(".fix")) {
    const commands = all(".command", fix);
    if (!commands.length || !navigator.clipboard) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy commands";
    button.addEventListener("click", () => {
      const words = commands.map((one) => one.textContent).join("\n") + "\n";
      navigator.clipboard.writeText(words).then(
        () => { button.textContent = "Copied"; },
        () => { button.textContent = "Cannot copy here: select the commands"; });
    });
    fix.append(button);
  }

  // The picture: what is pointed at, touched or reached by the keyboard tells its facts, and what
  // goes to the same guest stands out.
  for (const section of all(".topology")) {
    const asked = section.querySelector(".asked");
    asked.hidden = false;
    const tell = (event) => {
      const shape = event.target.closest(".s[tabindex]");
      if (!shape) return;
      asked.textContent = shape.querySelector("title").textContent;
      const guest = shape.dataset.guest;
      all(".s[data-guest]", section).forEach((other) =>
        other.classList.toggle("same", Boolean(guest) && other.dataset.guest === guest));
    };
    for (const kind of ["focusin", "mouseover", "click"]) section.addEventListener(kind, tell);
  }

  // A link to a folded host opens it.
  function follow() {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.matches("details")) {
      target.hidden = false;
      target.open = true;
      target.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", follow);
  follow();
})();
