"use strict";
// Draws one widget's content. Colours come from the style sheet, so a change of theme is a redraw.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const PALETTE = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"];

/** Makes an element: h("p", {class: "x"}, "text", child). */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Text that was rendered from markdown with raw HTML switched off.
function rendered(html) {
  const element = h("div", { class: "text" });
  element.innerHTML = html;
  return element;
}

function seconds(value) {
  if (value >= 172800) return [value / 86400, "d"];
  if (value >= 7200) return [value / 3600, "h"];
  if (value >= 120) return [value / 60, "min"];
  return value >= 1 || value === 0 ? [value, "s"] : [value * 1000, "ms"];
}

/** A number and its unit as a reader says them: 1,532 ms is 1.53 s. */
function amount(value, unit) {
  if (value === null || value === undefined) return ["–", ""];
  if (unit === "ms" || unit === "s") {
    const [scaled, name] = seconds(Math.abs(unit === "ms" ? value / 1000 : value));
    return [plain(Math.sign(value) * scaled), name];
  }
  return [plain(value), unit];
}

function plain(value) {
  const size = Math.abs(value);
  if (size >= 1e5) return new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(value);
  const options = Number.isInteger(value) ? {} : size >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return new Intl.NumberFormat("en", options).format(value);
}

const spoken = (value, unit) => amount(value, unit).join(" ").trim();

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "UTC" };
const DAY = { day: "2-digit", month: "short", timeZone: "UTC" };
const date = (iso) => new Date(iso).toLocaleString("en-GB", { ...DAY, ...CLOCK });
const time = (iso) => new Date(iso).toLocaleString("en-GB", { ...DAY, ...CLOCK, second: "2-digit" });

function ago(iso, now) {
  const [value, unit] = seconds(Math.max((new Date(now) - new Date(iso)) / 1000, 0));
  return unit === "ms" || value === 0 ? "just now" : `${Math.floor(value)} ${unit}`;
}

const colorOf = (entry, index) => entry.color || css(PALETTE[index % PALETTE.length]);

function axis(options, unit, extra = {}) {
  const title = options.label ? { title: { text: options.label, standoff: 4, font: { size: 11 } } } : {};
  const suffix = options.showUnits === false || !unit ? "" : ` ${unit}`;
  return { gridcolor: css("--grid"), zerolinecolor: css("--line"), linecolor: css("--line"), automargin: true, nticks: 5, ticksuffix: suffix, fixedrange: true, ...extra, ...title };
}

function layout(extra) {
  return {
    font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", size: 11, color: css("--muted") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 44, r: 14, t: 8, b: 24 },
    hoverlabel: { bgcolor: css("--raised"), bordercolor: css("--line"), font: { color: css("--text"), size: 12 } },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    ...extra,
  };
}

// A threshold far above the data would press the lines flat, so it is then named at the edge instead.
const FAR = 4;
const HEADROOM = 1.12;

/** The highest and lowest value that is drawn on one side; stacked values add up. */
function extent(content, side) {
  const drawn = content.series.filter((series) => series.axis === side);
  const columns = {};
  for (const series of drawn) series.x.forEach((x, index) => { if (series.y[index] !== null) (columns[content.stacked ? x : Object.keys(columns).length] ||= []).push(series.y[index]); });
  const totals = Object.values(columns).map((values) => values.reduce((sum, value) => sum + value, 0));
  return [Math.min(...totals, 0), Math.max(...totals, 0)];
}

const isFar = (mark, highest, options) => mark.until === null && highest > 0 && mark.value > highest * FAR && options.max === undefined;

function limits(content, side, options) {
  const [low, high] = extent(content, side);
  const near = content.horizontal.filter((mark) => mark.axis === side && !isFar(mark, high, options)).flatMap((mark) => [mark.value, mark.until ?? mark.value]);
  const top = Math.max(high, ...near), bottom = Math.min(low, ...near);
  return { range: [options.min ?? (bottom < 0 ? bottom * HEADROOM : 0), options.max ?? (top > 0 ? top * HEADROOM : 1)] };
}

function marks(content, optionsOf) {
  const shapes = [], notes = [];
  for (const mark of content.horizontal) {
    const color = mark.color || css("--threshold");
    const yref = mark.axis === "right" ? "y2" : "y";
    const value = plain(mark.value);
    const name = mark.label ? `${mark.label} ${mark.label.includes(value) ? "" : value}`.trim() : value;
    const note = { xref: "paper", x: 1, xanchor: "right", showarrow: false, font: { size: 11, color } };
    if (isFar(mark, extent(content, mark.axis)[1], optionsOf(mark.axis))) {
      notes.push({ ...note, yref: "paper", y: 1, yanchor: "top", text: `↑ ${name}` });
      continue;
    }
    shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, yref, y0: mark.value, y1: mark.value, line: { color, width: 1.4, dash: "dash" } });
    if (mark.until !== null) shapes.push({ type: "rect", xref: "paper", x0: 0, x1: 1, yref, y0: mark.value, y1: mark.until, fillcolor: color, opacity: 0.1, line: { width: 0 } });
    notes.push({ ...note, yref, y: mark.value, yanchor: "bottom", text: name });
  }
  for (const mark of content.vertical) {
    const color = mark.color || css("--muted");
    const [x0, x1] = [mark.value, mark.until || mark.value].map((iso) => iso.slice(0, 19));
    shapes.push({ type: mark.until ? "rect" : "line", x0, x1, yref: "paper", y0: 0, y1: 1, line: { color, width: 1, dash: "dot" }, fillcolor: color, opacity: mark.until ? 0.15 : 1 });
    if (mark.label) notes.push({ x: x0, yref: "paper", y: 1, yanchor: "top", xanchor: "left", showarrow: false, font: { size: 11, color }, text: mark.label });
  }
  return { shapes, annotations: notes };
}

const stamp = (date) => new Date(date).toISOString().slice(0, 19);

/** The time to show: a bar whose period has only begun is still drawn whole. */
function times(content) {
  const ends = content.stacked ? content.series.filter((series) => series.x.length).map((series) => Date.parse(series.x.at(-1)) + series.period * 1000) : [];
  return [stamp(content.range[0]), stamp(Math.max(Date.parse(content.range[1]), ...ends))];
}

function timeSeries(content) {
  const units = { left: "", right: "" };
  // Thirty possible reasons are thirty series; the legend is for those that happened.
  const happened = content.series.filter((series) => series.y.length);
  const traces = happened.map((series, index) => {
    const color = colorOf(series, index);
    units[series.axis] ||= series.unit;
    const real = series.y.filter((value) => value !== null).length;
    const base = {
      x: series.x, y: series.y, name: series.name, yaxis: series.axis === "right" ? "y2" : "y",
      customdata: series.y.map((value) => spoken(value, series.unit)), hovertemplate: "%{customdata}",
    };
    if (content.stacked) return { ...base, type: "bar", width: series.period ? series.period * 940 : undefined, offset: 0, marker: { color } };
    // A point without neighbours is no line: it needs a mark to be seen at all.
    const alone = series.y.some((value, at) => value !== null && (series.y[at - 1] ?? null) === null && (series.y[at + 1] ?? null) === null);
    return { ...base, type: "scatter", mode: alone || real < 40 ? "lines+markers" : "lines", line: { color, width: 1.8 }, marker: { color, size: real < 80 ? 6 : 4 }, cliponaxis: false };
  });
  const left = content.yAxis.left || {}, right = content.yAxis.right || {};
  const optionsOf = (side) => (side === "right" ? right : left);
  const named = content.legend !== "hidden" && happened.length > 1;
  const legend = content.legend === "right" ? { orientation: "v", x: 1.02, y: 1 } : { orientation: "h", x: 0, yref: "container", y: 0, yanchor: "bottom" };
  const drawn = layout({
    ...marks(content, optionsOf),
    margin: { l: 44, r: 14, t: 8, b: named && content.legend !== "right" ? 48 : 26 },
    barmode: "stack", hovermode: "x unified", showlegend: named, legend: { ...legend, font: { size: 11.5 }, itemwidth: 30, traceorder: "normal" },
    xaxis: { type: "date", range: times(content), gridcolor: css("--grid"), linecolor: css("--line"), nticks: 7, hoverformat: "%d %b %H:%M UTC", tickformatstops: TICKS, automargin: true },
    yaxis: axis(left, units.left, limits(content, "left", left)),
  });
  if (content.series.some((series) => series.axis === "right")) drawn.yaxis2 = axis(right, units.right, { overlaying: "y", side: "right", showgrid: false, tickmode: "auto", ...limits(content, "right", right) });
  return [traces, drawn];
}

const TICKS = [
  { dtickrange: [null, 60000], value: "%H:%M:%S" },
  { dtickrange: [60000, 86399999], value: "%H:%M\n%d %b" },
  { dtickrange: [86400000, null], value: "%d %b" },
];

function bars(content) {
  const items = [...content.items].sort((one, two) => two.value - one.value);
  const highest = Math.max(...items.map((item) => item.value), 0) || 1;
  return h("div", { class: "bars" }, ...items.flatMap((item) => {
    const bar = h("i");
    bar.style.background = item.color || css("--c1");
    bar.style.width = `${(Math.max(item.value, 0) / highest) * 100}%`;
    return [h("span", { class: "name" }, item.name), h("span", { class: "line" }, bar, h("b", {}, spoken(item.value, item.unit)))];
  }));
}

function pie(content) {
  const trace = {
    type: "pie", hole: 0.58, sort: false, labels: content.items.map((item) => item.name), values: content.items.map((item) => item.value),
    text: content.items.map((item) => spoken(item.value, item.unit)), textinfo: "percent", textposition: "inside", insidetextorientation: "horizontal", insidetextfont: { color: css("--card") }, hovertemplate: "%{label}: %{text} (%{percent})<extra></extra>",
    marker: { colors: content.items.map(colorOf), line: { color: css("--card"), width: 2 } },
  };
  return [[trace], layout({ showlegend: true, uniformtext: { mode: "hide", minsize: 10 }, legend: { font: { size: 12, color: css("--text") } }, margin: { l: 8, r: 8, t: 8, b: 10 } })];
}

function gauge(content) {
  const item = content.items[0];
  const [value, unit] = amount(item.value, item.unit);
  const threshold = content.bands.find((band) => band.until === null);
  const trace = {
    type: "indicator", mode: "gauge", value: item.value ?? content.min, title: { text: item.name, font: { size: 12, color: css("--muted") } },
    gauge: {
      axis: { range: [content.min, content.max], tickcolor: css("--line"), nticks: 5 }, bar: { color: item.color || css("--c1"), thickness: 0.72 }, bgcolor: css("--raised"), bordercolor: css("--line"), borderwidth: 1,
      steps: content.bands.filter((band) => band.until !== null).map((band) => ({ range: [band.value, band.until], color: band.color || css("--alarm-bg") })),
      ...(threshold ? { threshold: { value: threshold.value, thickness: 1, line: { color: threshold.color || css("--threshold"), width: 2 } } } : {}),
    },
  };
  const goal = threshold ? `<br><span style="font-size:11px">${threshold.label || "threshold"} ${plain(threshold.value)}</span>` : "";
  const note = { text: `<b>${value}</b> ${unit}${goal}`, x: 0.5, y: 0.06, xref: "paper", yref: "paper", showarrow: false, font: { size: 22, color: css("--text") } };
  return [[trace], layout({ margin: { l: 28, r: 28, t: 34, b: 8 }, annotations: [note] })];
}

const PLOTS = { timeSeries, pie, gauge };
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset" };

/** Draws or redraws a chart; the promise ends when it stands. */
function plot(body, content) {
  const target = body.querySelector(".plot") || body.appendChild(h("div", { class: "plot" }));
  const [traces, drawn] = PLOTS[content.kind](content);
  return Plotly.react(target, traces, drawn, CONFIG);
}

const SVG = "http://www.w3.org/2000/svg";

function svgElement(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  return element;
}

/** A small line beside a number: broken where data is missing, a lone point is a short dash. */
function sparkline(trend, color) {
  const points = (trend?.y || []).map((value, index) => ({ at: Date.parse(trend.x[index]), value }));
  const real = points.filter((point) => point.value !== null);
  if (real.length < 2) return null;
  const first = real[0].at, width = real.at(-1).at - first || 1;
  const values = real.map((point) => point.value);
  const low = Math.min(...values, 0), height = Math.max(...values) - low || 1;
  let path = "", on = false;
  for (const [index, { at, value }] of points.entries()) {
    if (value === null) { on = false; continue; }
    const x = ((at - first) / width) * 100, y = 25 - ((value - low) / height) * 23;
    path += `${on ? "L" : "M"}${x.toFixed(2)},${y.toFixed(2)}`;
    if (!on && (points[index + 1]?.value ?? null) === null) path += "h1.6";
    on = true;
  }
  const svg = svgElement("svg", { viewBox: "0 0 100 26", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(svgElement("path", { d: path, fill: "none", stroke: color, "stroke-width": 1.6, "stroke-linecap": "round", "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke" }));
  return svg;
}

function numbers(content) {
  return h("div", { class: "numbers" }, ...content.items.map((item, index) => {
    const [value, unit] = amount(item.value, item.unit);
    const color = item.color || css(PALETTE[index % PALETTE.length]);
    return h("div", { class: item.value === null ? "number none" : "number" },
      h("div", { class: "value" }, value, unit ? h("small", {}, unit) : null),
      h("div", { class: "name", title: item.name }, item.name),
      sparkline(item.trend, color));
  }));
}

const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/;
// Identifiers may be broken anywhere; words may not.
const LONG = /\S{25}/;

function table(content) {
  const numeric = content.columns.map((_, index) => content.rows.every((row) => typeof row[index] !== "string" || row[index] === "" ) && content.rows.some((row) => typeof row[index] === "number"));
  const cell = (value, index) => {
    const shown = typeof value === "number" ? plain(value) : value ?? "";
    return h("td", { class: numeric[index] ? "n" : TIME.test(shown) ? "time" : LONG.test(shown) ? "long" : null }, shown);
  };
  return h("table", { class: "data" },
    h("thead", {}, h("tr", {}, ...content.columns.map((name, index) => h("th", { class: numeric[index] ? "n" : null, scope: "col" }, name)))),
    h("tbody", {}, ...content.rows.map((row) => h("tr", {}, ...row.map(cell)))));
}
