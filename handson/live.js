// The live figure: attention pooling to play with, without dependencies.
// In JupyterLab anywidget calls render (see live.py). In a page without Jupyter:
//   render({ model: plainModel({ x_train: [...], y_train: [...] }), el: aDiv });
// For a page opened as a file, take out the line `export default` and every word
// `export `, and put the rest into a classic script.

// ---------------------------------------------------------------- the maths

export const KERNELS = {
  gaussian: (u) => Math.exp((-u * u) / 2), // as a softmax, in fill
  boxcar: (u) => (Math.abs(u) <= 1 ? 1 : 0),
  triangular: (u) => Math.max(0, 1 - Math.abs(u)),
  epanechnikov: (u) => Math.max(0, 1 - u * u),
};

// Fill a row with the weights of a query before they are normalised, and return
// their sum. Key number `own` is left out.
function fill(row, query, keys, w, kernel, own) {
  const K = KERNELS[kernel];
  const soft = kernel === "gaussian";
  let near = Infinity; // softmax less its largest score, that of the nearest key
  for (let j = 0; soft && j < keys.length; j++)
    if (j !== own) near = Math.min(near, Math.abs(query - keys[j]));
  const shift = (w * near) ** 2;
  let total = 0;
  for (let j = 0; j < keys.length; j++) {
    const u = w * (query - keys[j]);
    const score = (shift - u * u) / 2; // exp(-40) is lost in the sum's rounding
    if (j === own || (soft && score < -40)) row[j] = 0;
    else row[j] = soft ? Math.exp(score) : K(u);
    total += row[j];
  }
  return total;
}

// Weights (queries x keys, one row after the other), and for each query the
// prediction and the effective number of keys: NaN where no key is in range.
export function pool(queries, keys, values, w, kernel) {
  const n = keys.length;
  const weights = new Float64Array(queries.length * n);
  const yHat = [];
  const effective = [];
  queries.forEach((query, i) => {
    const row = weights.subarray(i * n, i * n + n);
    const total = fill(row, query, keys, w, kernel, -1);
    let prediction = 0;
    let squares = 0;
    for (let j = 0; j < n; j++) {
      row[j] /= total; // 0 / 0 is NaN, and stays so in all that follows
      prediction += row[j] * values[j];
      squares += row[j] * row[j];
    }
    yHat.push(prediction);
    effective.push(1 / squares);
  });
  return { weights, yHat, effective };
}

// The mean of those that are numbers, and how many are not.
export function meanOf(list) {
  const numbers = list.filter((v) => !Number.isNaN(v));
  const sum = numbers.reduce((a, b) => a + b, 0);
  return { mean: sum / numbers.length, gaps: list.length - numbers.length };
}

export function squaredError(yHat, truth) {
  return meanOf(yHat.map((v, i) => (v - truth[i]) ** 2));
}

export function leaveOneOut(keys, values, w, kernel) {
  const row = new Float64Array(keys.length);
  const yHat = keys.map((key, i) => {
    const total = fill(row, key, keys, w, kernel, i);
    let sum = 0;
    for (let j = 0; j < keys.length; j++) sum += row[j] * values[j];
    return sum / total;
  });
  return squaredError(yHat, values);
}

// The leave-one-out loss over w, and its lowest place. A loss over fewer points
// is no rival: first come the w that leave the fewest points out.
export function lossCurve(keys, values, kernel, count = 61) {
  const at = (w) => ({ w, ...leaveOneOut(keys, values, w, kernel) });
  const better = (a, b) =>
    b.gaps < a.gaps || (b.gaps === a.gaps && b.mean < a.mean) ? b : a;
  const curve = [];
  for (let i = 0; i < count; i++)
    curve.push(at(10 ** ((3 * i) / (count - 1) - 1)));
  let best = curve.reduce(better);
  for (let reach = 3 / (count - 1); reach > 1e-3; reach /= 4) {
    const middle = Math.log10(best.w);
    for (let i = -4; i <= 4; i++) {
      const w = 10 ** Math.min(2, Math.max(-1, middle + (reach * i) / 4));
      best = better(best, at(w));
    }
  }
  return { curve, best };
}

// All that follows from the model's values; live.py computes the same.
export function derive({ x_train, y_train, x_test, query, w, kernel }) {
  const grid = pool(x_test, x_train, y_train, w, kernel);
  const one = pool([query], x_train, y_train, w, kernel);
  const loo = leaveOneOut(x_train, y_train, w, kernel);
  const { mean, gaps } = meanOf(grid.effective);
  return {
    y_hat: grid.yHat, loss: loo.mean, effective: mean, weights: one.weights,
    matrix: grid.weights, gaps, left: loo.gaps,
    y_query: one.yHat[0], effective_query: one.effective[0],
  };
}

// ---------------------------------------------------------------- the model

// What Jupyter's model does, for a page without Jupyter.
export function plainModel(values) {
  const lo = Math.min(...values.x_train);
  const hi = Math.max(...values.x_train);
  const pad = lo === hi ? 1 : 0;
  const x_test = values.x_test || Array.from({ length: 101 }, (_, i) =>
    lo - pad + ((hi - lo + 2 * pad) * i) / 100);
  const query = (x_test[0] + x_test[x_test.length - 1]) / 2;
  const state = { w: 1, kernel: "gaussian", query, truth: [], ...values, x_test };
  const listeners = {};
  return {
    get: (name) => state[name],
    set(name, value) {
      if (state[name] === value) return;
      state[name] = value;
      (listeners[`change:${name}`] || []).forEach((listener) => listener());
    },
    save_changes() {},
    on(event, listener) {
      listeners[event] = [...(listeners[event] || []), listener];
    },
    off(event, listener) {
      listeners[event] = (listeners[event] || []).filter((l) => l !== listener);
    },
  };
}

// ----------------------------------------------------------------- the looks

const DARK = `color-scheme: dark; --paper: #17191c; --ink: #e8eaed;
  --quiet: #a9b1ba; --rule: #32373d; --edge: #7d8690; --truth: #6fbdf0;
  --pred: #ff9b66; --point: #c9ced4; --focus: #7cc4ff; --button: #24282d; --gap: #4b545d;
  --heat: #1f1718, #4a0d12, #7d1016, #b3181d, #e0352b, #f9694c, #fc9a7c,
    #fdc4ad, #ffece4;`;
const STYLE = `
.d2l-live { color-scheme: light; --paper: #fff; --ink: #1d2125;
  --quiet: #59626b; --rule: #e6e8eb; --edge: #858e97; --truth: #0072b2;
  --pred: #d55e00; --point: #4d4d4d; --focus: #005a9c; --button: #f4f5f6; --gap: #c2c9d0;
  --heat: #fff5f0, #fee0d2, #fcbba1, #fc9272, #fb6a4a, #ef3b2c, #cb181d,
    #a50f15, #67000d;
  background: var(--paper); color: var(--ink); font-size: .875rem;
  line-height: 1.4; text-align: left; border: 1px solid var(--rule);
  border-radius: 10px; padding: 1rem; box-sizing: border-box; min-width: 0;
  overflow: hidden; }
@media (prefers-color-scheme: dark) {
  body:not([data-theme="light"]):not([data-jp-theme-light="true"]) .d2l-live {
    ${DARK} } }
body[data-theme="dark"] .d2l-live, body[data-jp-theme-light="false"] .d2l-live {
  ${DARK} }
.d2l-live * { box-sizing: border-box; }
.d2l-live .lv-bar { display: grid; gap: .75rem 1.5rem; align-items: end; }
.d2l-live.lv-rows .lv-bar { grid-template-columns: 2fr 2fr 1fr; }
.d2l-live label { display: block; margin: 0; color: var(--quiet); }
.d2l-live label b { float: right; color: var(--ink); font-weight: 600;
  font-variant-numeric: tabular-nums; }
.d2l-live input { display: block; width: 100%; height: 1.75rem; margin: 0;
  accent-color: var(--pred); }
.d2l-live select, .d2l-live button { font: inherit; color: var(--ink);
  background: var(--button); border: 1px solid var(--edge); border-radius: 6px;
  min-height: 2.1rem; padding: 0 .75rem; margin: 0; cursor: pointer; }
.d2l-live select { display: block; width: 100%; padding: 0 .4rem; }
.d2l-live button:hover:enabled { border-color: var(--ink); }
.d2l-live button:disabled { color: var(--quiet); border-color: var(--rule);
  cursor: default; }
.d2l-live button[aria-pressed="true"] { background: var(--ink);
  color: var(--paper); border-color: var(--ink); }
.d2l-live :focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.d2l-live .lv-numbers { display: grid; gap: .75rem; margin: 1rem 0;
  grid-template-columns: 1fr 1fr; border: solid var(--rule);
  border-width: 1px 0; padding: .75rem 0; }
.d2l-live.lv-rows .lv-numbers { grid-template-columns: repeat(4, 1fr); }
.d2l-live .lv-numbers span { display: block; color: var(--quiet);
  font-size: .8125rem; }
.d2l-live .lv-numbers b { display: block; font-size: 1.5rem; font-weight: 600;
  line-height: 1.25; font-variant-numeric: tabular-nums; }
.d2l-live .lv-panels { display: grid; gap: 1rem 1.75rem;
  grid-template-columns: minmax(0, 1fr); }
.d2l-live.lv-rows .lv-panels {
  grid-template-columns: repeat(2, minmax(0, 1fr)); }
.d2l-live.lv-rows .lv-fit { grid-column: span 2; }
.d2l-live.lv-wide .lv-panels {
  grid-template-columns: minmax(0, 8fr) minmax(0, 5fr); }
.d2l-live.lv-wide .lv-fit { grid-area: 1 / 1 / span 2; }
.d2l-live .lv-title { display: flex; flex-wrap: wrap; gap: 0 1rem;
  min-height: 1.5rem; }
.d2l-live .lv-title strong { font-weight: 600; margin-right: auto; }
.d2l-live:not(.lv-rows) .lv-fit strong { flex-basis: 100%; }
/* On a phone the fit follows the sliders at once, so that both are seen. */
.d2l-live:not(.lv-rows) { display: flex; flex-direction: column; }
.d2l-live:not(.lv-rows) .lv-bar { margin-bottom: 1rem; }
.d2l-live:not(.lv-rows) .lv-numbers { order: 1; }
.d2l-live:not(.lv-rows) :is(.lv-buttons, p) { order: 2; }
.d2l-live .lv-title span { color: var(--quiet); white-space: nowrap;
  font-size: .8125rem; }
.d2l-live .lv-title svg { display: inline-block; width: 20px; height: 12px;
  vertical-align: -1px; margin-right: .35rem; }
.d2l-live .lv-plot { position: relative; }
.d2l-live .lv-plot > svg { display: block; position: relative; width: 100%;
  max-width: none; touch-action: manipulation; user-select: none; }
.d2l-live canvas, .d2l-live .lv-scale { position: absolute; max-width: none;
  image-rendering: pixelated; outline: 1px solid var(--rule); }
.d2l-live canvas { background: var(--gap); }
.d2l-live svg rect.lv-gap { fill: var(--gap); }
.d2l-live .lv-scale { background: linear-gradient(to top, var(--heat)); }
.d2l-live svg text { fill: var(--quiet); font-size: 12px;
  font-variant-numeric: tabular-nums; }
.d2l-live svg .lv-strong { fill: var(--ink); font-weight: 600; }
.d2l-live svg path, .d2l-live svg line { fill: none; stroke-width: 1;
  stroke-linecap: round; stroke-linejoin: round; }
.d2l-live .lv-axes path { stroke: var(--rule); stroke-linecap: butt; }
.d2l-live svg .lv-truth { stroke: var(--truth); stroke-width: 2; }
.d2l-live svg .lv-pred { stroke: var(--pred); stroke-width: 2.75; }
.d2l-live svg .lv-thin { stroke: var(--pred); stroke-width: 1.5;
  stroke-dasharray: 2 4; }
.d2l-live svg .lv-now { stroke: var(--ink); stroke-width: 1.5; }
.d2l-live .lv-dot { fill: var(--pred); stroke: var(--paper); stroke-width: 2; }
.d2l-live .lv-best { fill: none; stroke: var(--ink); stroke-width: 2; }
.d2l-live .lv-grip { fill: var(--ink); }
.d2l-live .lv-grip + path { stroke: var(--paper); }
.d2l-live .lv-grab { fill: transparent; cursor: ew-resize; touch-action: none; }
.d2l-live .lv-point { stroke: var(--point); stroke-width: 1.25; cursor: grab;
  touch-action: none; }
.d2l-live .lv-point[aria-selected="true"] { stroke-width: 2.75; }
.d2l-live .lv-point:focus { outline: none; }
.d2l-live .lv-point:focus-visible { outline: 2px solid var(--focus);
  outline-offset: 2px; }
.d2l-live .lv-adding { cursor: crosshair; }
.d2l-live .lv-loss > svg { cursor: ew-resize; touch-action: pan-y; }
.d2l-live .lv-buttons { display: flex; flex-wrap: wrap; gap: .5rem;
  margin-top: 1rem; }
.d2l-live p { margin: .75rem 0 0; color: var(--ink); font-size: inherit; }
.d2l-live .lv-help { color: var(--quiet); font-size: .8125rem; }`;

const swatch = (inner) => `<svg viewBox="0 0 20 12" aria-hidden="true">${inner}</svg>`;
const tile = (name) => `<div><span>${name}</span><b></b><span></span></div>`;
const BODY = `<div class="lv-bar">
  <label>w, the inverse width 1/h<b aria-hidden="true"></b><input type="range"
    name="w" min="-1" max="2" step="0.01" aria-label="w, the inverse width"></label>
  <label>query<b aria-hidden="true"></b><input type="range" name="query"
    aria-label="query"></label>
  <label>kernel <select name="kernel">${Object.keys(KERNELS).map((name) =>
    `<option>${name}</option>`).join("")}</select></label></div>
<div class="lv-numbers">${["w", "leave-one-out loss", "effective number of keys",
    "test MSE"].map(tile).join("")}</div>
<div class="lv-panels"><div class="lv-fit"><div class="lv-title">
  <strong>The fit</strong>
  <span class="lv-has-truth">${swatch('<path class="lv-truth" d="M1 6H19"/>')}truth</span>
  <span>${swatch('<path class="lv-pred" d="M1 6H19"/>')}prediction</span>
  <span>${swatch('<path class="lv-now" d="M10 0V12"/>')}query</span>
  <span>${swatch('<circle class="lv-point" cx="5" cy="6" r="3" fill="none"/>'
    + '<circle class="lv-point" cx="14" cy="6" r="5" fill="#ef3b2c"/>')}pair, by
    its weight</span></div>
  <div class="lv-plot"><svg role="group" aria-label="The fit"><g class="lv-axes"
    aria-hidden="true"></g><path class="lv-truth"/><path class="lv-pred"/>
  <g aria-hidden="true"><path class="lv-now"/><rect class="lv-grip" width="18"
    height="18" rx="5"/><path/><rect class="lv-grab" width="32" y="0"/></g>
  <g role="listbox" aria-label="training pairs"></g>
  <circle class="lv-dot" r="6" pointer-events="none"/></svg></div></div>
<div class="lv-heat"><div class="lv-title"><strong>Attention weights</strong>
  <span class="lv-has-gaps">${swatch('<rect class="lv-gap" width="20" height="12"/>')}no
    key in range</span></div>
  <div class="lv-plot"><canvas role="img" aria-label="Attention weights: one row
    per query, one column per key"></canvas><div class="lv-scale"></div>
  <svg aria-hidden="true"><g class="lv-axes"></g><path class="lv-now"/></svg></div></div>
<div><div class="lv-title"><strong>Leave-one-out loss</strong>
  <span>${swatch('<circle class="lv-dot" cx="10" cy="6" r="5"/>')}now</span>
  <span>${swatch('<circle class="lv-best" cx="10" cy="6" r="5"/>')}lowest</span></div>
  <div class="lv-plot lv-loss"><svg role="img" aria-label="Leave-one-out loss over w">
  <g class="lv-axes"></g><path class="lv-thin"/><path class="lv-pred"/>
  <path class="lv-now"/><circle class="lv-best" r="9"/>
  <circle class="lv-dot" r="6"/></svg></div></div></div>
<div class="lv-buttons"><button type="button">Go to the best w</button>
  <button type="button" aria-pressed="false">Add pairs</button>
  <button type="button">Remove the chosen pair</button>
  <button type="button">Reset</button></div>
<p role="status" aria-live="polite"></p>
<p class="lv-help">Drag the query, or a pair. Double click: on a pair removes it,
  elsewhere adds one. By keyboard, among the pairs: arrows choose, Shift and
  arrows (or + and −) move, Delete removes, A adds one at the query.</p>`;

// --------------------------------------------------------------- the figure

const line = (d0, d1, r0, r1) => (v) => r0 + ((v - d0) / (d1 - d0)) * (r1 - r0);
const clip = (v, [lo, hi]) => Math.min(hi, Math.max(lo, v));
const show = (v, digits = 3) =>
  Number.isNaN(v) ? "none" : String(Number(v.toPrecision(digits)));
const put = (node, values) => {
  for (const name in values) node.setAttribute(name, values[name]);
};

// JupyterLab's shortcuts would take the keys of whatever lacks this mark.
const keepKeys = (node) => node.setAttribute("data-lm-suppress-shortcuts", "true");

function extent(list, margin) {
  const lo = Math.min(...list);
  const hi = Math.max(...list);
  const pad = (hi - lo) * margin || 1;
  return [lo - pad, hi + pad];
}

function ticks([lo, hi], count) {
  const power = 10 ** Math.floor(Math.log10((hi - lo) / count));
  const step = [1, 2, 5, 10].find((s) => (hi - lo) / (s * power) <= count) * power;
  const list = [];
  for (let i = Math.ceil(lo / step); i * step <= hi; i++)
    list.push(Number((i * step).toPrecision(12)));
  return list;
}

// Where v lies in a rising list, counted in places: 2.5 is between 2 and 3.
function place(list, v) {
  const i = list.findIndex((other) => other > v);
  if (i <= 0) return i ? list.length - 1 : 0;
  return i - 1 + (v - list[i - 1]) / (list[i] - list[i - 1]);
}

function trace(xs, ys, x, y) {
  let pen = "M";
  return xs.map((v, i) => {
    if (Number.isNaN(ys[i])) return (pen = "M") && "";
    const to = `${pen}${x(v).toFixed(1)} ${y(ys[i]).toFixed(1)}`;
    const dot = pen === "M" ? "h0" : ""; // so that a lonely point shows
    pen = "L";
    return to + dot;
  }).join("");
}

function axes(group, box, across, up, xLabel, yLabel, grid = true) {
  const { left, right, top, bottom } = box;
  const text = (x, y, anchor, words, extra = "") =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}" ${extra}>${words}</text>`;
  const middle = (top + bottom) / 2;
  group.innerHTML =
    across.map(([at, words]) => (grid ? `<path d="M${at} ${top}V${bottom}"/>` : "")
      + text(at, bottom + 17, "middle", words)).join("")
    + up.map(([at, words]) => (grid ? `<path d="M${left} ${at}H${right}"/>` : "")
      + text(left - 7, at + 4, "end", words)).join("")
    + text((left + right) / 2, bottom + 35, "middle", xLabel)
    + text(0, 0, "middle", yLabel, `transform="translate(11 ${middle}) rotate(-90)"`);
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "d2l-live";
  put(root, { role: "group", "aria-label": "Attention pooling, a live figure" });
  root.innerHTML = `<style>${STYLE}</style>${BODY}`;
  el.append(root);

  const all = (selector) => [...root.querySelectorAll(selector)];
  all("input, select, button").forEach(keepKeys);
  const [wSlider, querySlider, kernelMenu] = all("input, select");
  const [fit, heat, loss] = all(".lv-plot > svg");
  const [toBest, toAdd, toRemove, toReset] = all("button");
  const [group, canvas, scale, status] =
    all("[role=listbox], canvas, .lv-scale, [role=status]");
  const tiles = all(".lv-numbers > div").map((t) => [...t.children].slice(1));
  const NAMES = ["x_train", "y_train", "x_test", "truth", "query", "w", "kernel"];
  const read = () => {
    const s = Object.fromEntries(NAMES.map((name) => [name, model.get(name)]));
    const n = Math.min(s.x_train.length, s.y_train.length);
    s.x_train = s.x_train.slice(0, n); // both lists may not have come yet
    s.y_train = s.y_train.slice(0, n);
    s.truth = (s.truth || []).length === s.x_test.length ? s.truth : [];
    s.order = [...s.x_train.keys()].sort((i, j) => s.x_train[i] - s.x_train[j]);
    return s;
  };
  const initial = read();
  const circles = [];
  const plots = {}; // of each panel: its box and scales
  let palette, curve, domain, drag, frame, timer, width;
  let [chosen, adding, focusing, ours] = [-1, false, false, false];
  let dirty = { layout: true, data: true, domain: true };

  // A step may ask for many drawings; one is made, before the next frame.
  function schedule(what) {
    Object.assign(dirty, what);
    frame = frame || requestAnimationFrame(draw);
  }

  function write(values) {
    ours = true;
    for (const name in values) model.set(name, values[name]);
    ours = false;
    model.save_changes();
  }

  const changed = NAMES.map((name) => [`change:${name}`, () => schedule(
    name === "w" || name === "query" ? {} : { data: true, layout: true,
      domain: dirty.domain || (!ours && name !== "kernel") })]);

  function layout(s) {
    width = root.clientWidth;
    const wide = width >= 800;
    root.classList.toggle("lv-wide", wide);
    root.classList.toggle("lv-rows", width >= 560); // panels below the fit
    const size = (svg, height, margin) => {
      const across = svg.parentNode.clientWidth;
      put(svg, { viewBox: `0 0 ${across} ${height}`, height });
      return { left: margin.left, right: across - margin.right, top: margin.top,
        bottom: height - 42 };
    };
    const marks = (list, at) => list.map((v) => [at(v), show(v, 6)]);

    if (dirty.domain) {
      domain = { x: extent([...s.x_train, ...s.x_test], 0.04),
        y: extent([...s.y_train, ...s.truth], 0.08) };
    }
    const a = size(fit, wide ? 488 : width >= 560 ? 300 : 340, { left: 42, right: 8, top: 26 });
    plots.fit = { x: line(...domain.x, a.left, a.right),
      y: line(...domain.y, a.bottom, a.top), box: a };
    axes(fit.firstElementChild, a, marks(ticks(domain.x, 7), plots.fit.x),
      marks(ticks(domain.y, 6), plots.fit.y), "x: query and keys", "y: values");
    put(fit.querySelector(".lv-grab"), { height: a.bottom });
    put(fit.querySelector(".lv-truth"), { d: s.truth.length
      ? trace(s.x_test, s.truth, plots.fit.x, plots.fit.y) : "" });
    root.querySelector(".lv-has-truth").hidden = !s.truth.length;

    const b = size(heat, 240, { left: 42, right: 66, top: 6 });
    const m = s.x_test.length;
    const n = s.x_train.length;
    const row = (v) => line(-0.5, m - 0.5, b.top, b.bottom)(place(s.x_test, v));
    const key = line(0.5, n + 0.5, b.left, b.right);
    const ends = [s.x_test[0], s.x_test[m - 1]];
    const numbers = n > 1 ? ticks([1, n], 5).filter(Number.isInteger) : [1];
    axes(heat.firstElementChild, b, marks(numbers, key), marks(ticks(ends, 5), row),
      "keys, in rising order", "query", false);
    const px = (left, width) => ({ left: `${left}px`, top: `${b.top}px`,
      width: `${width}px`, height: `${b.bottom - b.top}px` });
    Object.assign(canvas.style, px(b.left, b.right - b.left));
    Object.assign(scale.style, px(b.right + 12, 12));
    [canvas.width, canvas.height] = [n, m];
    plots.heat = { box: b, row, bar: document.createElementNS(
      "http://www.w3.org/2000/svg", "g") };
    heat.firstElementChild.append(plots.heat.bar);

    const c = size(loss, 208, { left: 42, right: 14, top: 12 });
    const losses = curve.curve.map((p) => p.mean).filter((v) => v >= 0);
    const top = 1.08 * Math.max(...losses, 1e-9);
    plots.loss = { box: c, x: line(-1, 2, c.left, c.right),
      y: line(0, top, c.bottom, c.top) };
    axes(loss.firstElementChild, c,
      [0.1, 1, 10, 100].map((w) => [plots.loss.x(Math.log10(w)), w]),
      marks(ticks([0, top], 4), plots.loss.y), "w, log scale", "loss");
    const logs = curve.curve.map((p) => Math.log10(p.w));
    const part = (all) => trace(logs, curve.curve.map((p) =>
      p.gaps && !all ? NaN : p.mean), plots.loss.x, plots.loss.y);
    put(loss.querySelector(".lv-pred"), { d: part(false) });
    put(loss.querySelector(".lv-thin"), { d: part(true) });
    put(loss.querySelector(".lv-best"), { cx: plots.loss.x(Math.log10(curve.best.w)),
      cy: Number.isNaN(curve.best.mean) ? -99 : plots.loss.y(curve.best.mean) });

    const [lo, hi] = ends;
    put(querySlider, { min: lo, max: hi, step: (hi - lo) / 200 });
  }

  function drawFit(s, d, colour) {
    const { x, y, box } = plots.fit;
    const at = x(s.query);
    put(fit.querySelector(".lv-pred"), { d: trace(s.x_test, d.y_hat, x, y) });
    const [stem, grip, grooves, grab] = fit.querySelector(".lv-now").parentNode.children;
    put(stem, { d: `M${at} ${box.top}V${box.bottom}` });
    put(grip, { x: at - 9, y: box.top - 18 });
    put(grooves, { d: `M${at - 3} ${box.top - 13}v8m6 0v-8` });
    put(grab, { x: at - 16 });
    const gap = Number.isNaN(d.y_query);
    put(fit.lastElementChild, { visibility: gap ? "hidden" : "visible",
      cx: at, cy: gap ? 0 : y(d.y_query) });
    const n = s.x_train.length;
    while (circles.length > n) circles.pop().remove();
    while (circles.length < n) {
      const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      put(circle, { class: "lv-point", role: "option" });
      keepKeys(circle);
      circles.push(group.appendChild(circle));
    }
    chosen = Math.min(chosen, n - 1);
    const most = Math.max(...d.weights);
    const stop = chosen < 0 ? s.order[0] : chosen; // the one tab stop
    s.order.forEach((i, rank) => {
      const weight = d.weights[i] || 0;
      put(circles[i], { cx: x(s.x_train[i]), cy: y(s.y_train[i]),
        r: 4 + 5 * Math.sqrt(weight / most || 0), fill: colour(weight),
        tabindex: i === stop ? 0 : -1, "aria-selected": i === chosen,
        "aria-label": `pair ${rank + 1} of ${n}: x ${show(s.x_train[i])}, `
          + `y ${show(s.y_train[i])}, weight ${show(weight, 2)}` });
    });
    if (focusing) circles[stop].focus({ preventScroll: true });
    focusing = false;
  }

  function drawHeat(s, d, most) {
    const [m, n] = [s.x_test.length, s.x_train.length];
    const image = new ImageData(n, m);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        const weight = d.matrix[i * n + s.order[j]];
        pixels[i * n + j] = weight >= 0 // a gap stays transparent
          ? palette.pixels[Math.round((255 * weight) / most)] : 0;
      }
    canvas.getContext("2d").putImageData(image, 0, 0);
    const { box, row, bar } = plots.heat;
    const at = row(s.query);
    put(heat.lastElementChild, { d: `M${box.left - 5} ${at}H${box.left}M${box.right} `
      + `${at}h5` });
    bar.innerHTML = [0, 0.5, 1].map((part) => `<text x="${box.right + 29}" y="${
      box.bottom + part * (box.top - box.bottom) + 4}">${
      show(part * most, 2)}</text>`).join("");
  }

  function drawNumbers(s, d) {
    const { box, x, y } = plots.loss;
    const log = Math.log10(s.w);
    const at = clip(x(log), [box.left, box.right]);
    put(loss.querySelector(".lv-now"), { d: `M${at} ${box.top}V${box.bottom}` });
    const dot = Number.isNaN(d.loss) ? -99 : y(d.loss);
    put(loss.querySelector(".lv-dot"), { cx: at, cy: dot });

    wSlider.value = log;
    querySlider.value = s.query;
    kernelMenu.value = s.kernel;
    put(wSlider, { "aria-valuetext": `w = ${show(s.w)}` });
    put(querySlider, { "aria-valuetext": `query = ${show(s.query)}` });
    wSlider.previousElementSibling.textContent = show(s.w);
    querySlider.previousElementSibling.textContent = s.query.toFixed(2);
    const [m, n] = [s.x_test.length, s.x_train.length];
    const best = curve.best;
    const left = `${d.left} of ${n} pairs have no neighbour in range`;
    const gaps = `${d.gaps} of ${m} queries have no key in range`;
    const mse = s.truth.length ? squaredError(d.y_hat, s.truth).mean : NaN;
    const against = d.gaps ? `over ${m - d.gaps} of ${m} queries` : "against the truth";
    const words = [[show(s.w), `width h = ${show(1 / s.w)}`],
      [show(d.loss), d.left ? left : `lowest: ${show(best.mean)} at w = ${show(best.w)}`],
      [show(d.effective), `for the query here: ${show(d.effective_query)}`],
      [show(mse), s.truth.length ? against : "no truth given"]];
    words.forEach(([number, note], i) => {
      tiles[i][0].textContent = number;
      tiles[i][1].textContent = note;
    });
    root.querySelector(".lv-has-gaps").hidden = !d.gaps;
    toRemove.disabled = chosen < 0 || n < 2;

    clearTimeout(timer); // a screen reader hears where a movement ends
    timer = setTimeout(() => {
      status.textContent = `w = ${show(s.w)}, ${s.kernel}, ${n} pairs: leave-one-out `
        + `loss ${show(d.loss)}, ${show(d.effective)} keys share a query's weight on `
        + `average${d.gaps ? `; ${gaps}` : ""}${d.left ? `; ${left}` : ""}.`;
    }, 300);
  }

  function draw() {
    frame = 0;
    width = root.clientWidth && width;
    if (!root.clientWidth) return; // not shown yet: the observer will tell
    palette = palette || readPalette();
    const s = read();
    if (dirty.data) curve = lossCurve(s.x_train, s.y_train, s.kernel);
    if (dirty.layout) layout(s);
    dirty = {};
    const d = derive(s);
    const most = d.matrix.reduce((a, b) => (b > a ? b : a), 1e-9);
    const colour = (weight) =>
      palette.css[Math.round(255 * Math.min(1, weight / most))];
    drawFit(s, d, colour);
    drawHeat(s, d, most);
    drawNumbers(s, d);
  }

  // The canvas cannot read CSS variables: 256 colours, made once per theme.
  function readPalette() {
    const stops = getComputedStyle(root).getPropertyValue("--heat").split(",")
      .map((hex) => [1, 3, 5].map((i) => parseInt(hex.trim().slice(i, i + 2), 16)));
    const colours = Array.from({ length: 256 }, (_, i) => {
      const at = (i / 255) * (stops.length - 1);
      const k = Math.min(Math.floor(at), stops.length - 2);
      return stops[k].map((v, c) => Math.round(v + (at - k) * (stops[k + 1][c] - v)));
    });
    return { css: colours.map((c) => `rgb(${c})`), pixels: new Uint32Array(
      new Uint8ClampedArray(colours.flatMap((c) => [...c, 255])).buffer) };
  }

  function repaint() {
    palette = null;
    schedule({});
  }

  // ---- what the reader does

  const inside = (event) => {
    const r = fit.getBoundingClientRect(); // a slide may be scaled
    const { box } = plots.fit;
    const view = fit.viewBox.baseVal;
    const px = ((event.clientX - r.left) * view.width) / r.width;
    const py = ((event.clientY - r.top) * view.height) / r.height;
    return { x: clip(line(box.left, box.right, ...domain.x)(px), domain.x),
      y: clip(line(box.bottom, box.top, ...domain.y)(py), domain.y) };
  };
  const setQuery = (v) => write({ query: clip(v, [+querySlider.min, +querySlider.max]) });
  const choose = (i) => {
    [chosen, focusing] = [i, true];
    schedule({});
  };
  const move = (i, x, y) => {
    const s = read();
    write({ x_train: s.x_train.with(i, x), y_train: s.y_train.with(i, y) });
  };
  const add = (x, y) => {
    const s = read();
    write({ x_train: [...s.x_train, x], y_train: [...s.y_train, y] });
    choose(s.x_train.length);
  };
  const remove = (i) => {
    const s = read();
    if (i < 0 || s.x_train.length < 2) return;
    write({ x_train: s.x_train.toSpliced(i, 1), y_train: s.y_train.toSpliced(i, 1) });
    choose(Math.min(i, s.x_train.length - 2));
  };

  wSlider.oninput = () => write({ w: 10 ** Number(wSlider.value) });
  querySlider.oninput = () => setQuery(Number(querySlider.value));
  kernelMenu.onchange = () => write({ kernel: kernelMenu.value });
  toBest.onclick = () => write({ w: curve.best.w });
  toRemove.onclick = () => remove(chosen);
  toAdd.onclick = () => {
    adding = !adding;
    put(toAdd, { "aria-pressed": adding });
    fit.classList.toggle("lv-adding", adding);
  };
  toReset.onclick = () => {
    chosen = -1;
    const { x_train, y_train, w, kernel, query } = initial;
    write({ x_train: [...x_train], y_train: [...y_train], w, kernel, query });
    schedule({ layout: true, data: true, domain: true });
  };
  fit.onpointerdown = (event) => {
    const i = circles.indexOf(event.target);
    if (i < 0 && !event.target.matches(".lv-grab")) return;
    drag = { i, id: event.pointerId };
    event.target.setPointerCapture(event.pointerId);
    if (i >= 0) choose(i);
  };
  fit.onpointermove = (event) => {
    if (!drag || drag.id !== event.pointerId) return;
    const { x, y } = inside(event);
    if (drag.i < 0) setQuery(x);
    else move(drag.i, x, y);
  };
  fit.onpointerup = fit.onpointercancel = () => { drag = null; };
  // touch-action alone does not keep every browser from scrolling instead.
  const still = (event) => drag && event.preventDefault();
  fit.addEventListener("touchmove", still, { passive: false });
  fit.onclick = (event) => {
    if (!adding || circles.includes(event.target)) return;
    const { x, y } = inside(event);
    add(x, y);
  };
  fit.ondblclick = (event) => {
    const i = circles.indexOf(event.target);
    const { x, y } = inside(event);
    if (!adding && i >= 0) remove(i);
    else if (!adding) add(x, y);
  };
  group.onkeydown = (event) => {
    const s = read();
    const i = circles.indexOf(event.target);
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1],
      ArrowDown: [0, -1], "+": [0, 1], "-": [0, -1] }[event.key];
    const rank = s.order.indexOf(i);
    if (step && (event.shiftKey || "+-".includes(event.key))) {
      const [dx, dy] = [domain.x, domain.y].map(([lo, hi]) => (hi - lo) / 100);
      move(i, clip(s.x_train[i] + step[0] * dx, domain.x),
        clip(s.y_train[i] + step[1] * dy, domain.y));
    } else if (step) {
      choose(s.order[clip(rank + step[0] - step[1], [0, s.order.length - 1])]);
    } else if (event.key === "Home") choose(s.order[0]);
    else if (event.key === "End") choose(s.order[s.order.length - 1]);
    else if (event.key === "Delete" || event.key === "Backspace") remove(i);
    else if (event.key.toLowerCase() === "a" && !event.ctrlKey && !event.metaKey)
      add(s.query, derive(s).y_query || meanOf(s.y_train).mean);
    else return;
    event.preventDefault();
  };
  loss.onpointerdown = loss.onpointermove = (event) => {
    if (!event.buttons) return;
    const r = loss.getBoundingClientRect();
    const px = ((event.clientX - r.left) * loss.viewBox.baseVal.width) / r.width;
    const { left, right } = plots.loss.box;
    write({ w: 10 ** clip(line(left, right, -1, 2)(px), [-1, 2]) });
  };

  const resized = new ResizeObserver(() => {
    if (root.clientWidth !== width) schedule({ layout: true });
  });
  const themed = new MutationObserver(repaint);
  const media = matchMedia("(prefers-color-scheme: dark)");
  resized.observe(root);
  themed.observe(document.body, { attributes: true,
    attributeFilter: ["data-theme", "data-jp-theme-light"] });
  media.addEventListener("change", repaint);
  changed.forEach(([event, listener]) => model.on(event, listener));
  repaint();
  return () => {
    resized.disconnect();
    themed.disconnect();
    media.removeEventListener("change", repaint);
    changed.forEach(([event, listener]) => model.off(event, listener));
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}

export default { render };
