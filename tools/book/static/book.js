// One choice of frameworks for the whole book: every set of tabs follows it,
// other pages and later visits remember it, and an address can carry it:
// page.html?framework=pytorch, or pytorch,numpy for two side by side.
"use strict";

(() => {
  const KEY = "framework";
  const MOST = 3; // columns
  const sets = [...document.querySelectorAll(".sd-tab-set.frameworks")];
  const labels = sets.map((set) => [...set.querySelectorAll(":scope > label")]);
  const known = new Map(); // name -> title, in the page's order
  for (const label of labels.flat()) {
    known.set(label.dataset.syncId, label.textContent.trim());
  }

  const valid = (text) => {
    const names = (text || "").toLowerCase().split(",");
    const seen = [...known.keys()].filter((name) => names.includes(name));
    return seen.slice(0, MOST);
  };

  const storage = {
    read() {
      try {
        return localStorage.getItem(KEY);
      } catch {
        return null; // forbidden by the reader's settings
      }
    },
    write(text) {
      try {
        localStorage.setItem(KEY, text);
      } catch {
        // The links of the page carry the choice all the same.
      }
    },
  };

  const inAddress = new URLSearchParams(location.search).get(KEY);
  let chosen = [inAddress, storage.read()].map(valid).find((c) => c.length);
  chosen ||= [...known.keys()].slice(0, 1);
  let compare = chosen.length > 1;

  function show() {
    document.documentElement.toggleAttribute("data-compare", compare);
    document.documentElement.style.setProperty("--columns", chosen.length);
    for (const label of labels.flat()) {
      const name = label.dataset.syncId;
      const shown = chosen.includes(name);
      label.classList.toggle("chosen", shown);
      label.nextElementSibling.classList.toggle("chosen", shown);
      label.previousElementSibling.checked = name === chosen[0];
      label.previousElementSibling.disabled = compare; // mere headings then
    }
    for (const button of document.querySelectorAll(".frameworks-bar button")) {
      const name = button.dataset.framework;
      const pressed = name ? chosen.includes(name) : compare;
      button.setAttribute("aria-pressed", pressed);
    }
    makeScrollable();
  }

  function choose(names, side = compare) {
    chosen = [...known.keys()].filter((name) => names.includes(name));
    compare = side;
    storage.write(chosen.join());
    const address = new URL(location.href);
    address.searchParams.set(KEY, chosen.join());
    const text = address.href.replaceAll("%2C", ",");
    try {
      history.replaceState(null, "", text);
    } catch {
      // Some browsers allow no change of a file's address.
    }
    show();
    carry();
  }

  // A file's pages share no memory in some browsers: let links carry it.
  function carry() {
    if (location.protocol !== "file:") return;
    for (const link of document.querySelectorAll("a[href]")) {
      const target = new URL(link.href);
      if (target.protocol !== "file:" || !target.pathname.endsWith(".html")) {
        continue;
      }
      target.searchParams.set(KEY, chosen.join());
      link.href = target.href.replaceAll("%2C", ",");
    }
  }

  // Keep what the reader looks at where it is while all else changes height.
  function steady(element, change) {
    const before = element.getBoundingClientRect().top;
    change();
    const moved = element.getBoundingClientRect().top - before;
    window.scrollBy({ top: moved, behavior: "instant" });
  }

  function press(name) {
    if (!compare) return choose([name]);
    const others = chosen.filter((other) => other !== name);
    if (others.length < chosen.length) {
      if (others.length) choose(others); // the last one stays
      return;
    }
    choose([...others.slice(-MOST + 1), name]);
  }

  function pressCompare() {
    if (compare) return choose(chosen.slice(0, 1), false);
    const next = [...known.keys()].find((name) => !chosen.includes(name));
    choose(next ? [...chosen, next] : chosen, true);
  }

  function makeBar() {
    const bar = document.createElement("div");
    bar.className = "frameworks-bar";
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Frameworks");
    for (const [name, title] of known) {
      const button = document.createElement("button");
      button.dataset.framework = name;
      button.textContent = title;
      button.addEventListener("click", () => steady(bar, () => press(name)));
      bar.append(button);
    }
    const side = document.createElement("button");
    side.className = "side";
    side.textContent = "Side by side";
    side.title = `Put up to ${MOST} frameworks beside one another`;
    side.addEventListener("click", () => steady(bar, pressCompare));
    bar.append(side);
    const place = document.querySelector(".lesson-links");
    place ? place.after(bar) : sets[0].before(bar);
  }

  // What scrolls sideways must be reachable by keyboard.
  function makeScrollable() {
    const wide = ".highlight pre, .table-wrapper, mjx-container[display]";
    for (const element of document.querySelectorAll(wide)) {
      const scrolls = element.scrollWidth > element.clientWidth;
      if (scrolls) element.tabIndex = 0;
      else if (element.tabIndex === 0) element.removeAttribute("tabindex");
    }
  }

  if (sets.length) {
    makeBar();
    for (const set of sets) {
      set.addEventListener("change", (event) => {
        const label = event.target.nextElementSibling;
        steady(set, () => choose([label.dataset.syncId], false));
      });
    }
    if (inAddress && valid(inAddress).length) storage.write(chosen.join());
  }
  show();
  carry();
  addEventListener("resize", makeScrollable);
  addEventListener("load", makeScrollable);
})();
