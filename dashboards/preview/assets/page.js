// The page around the charts: tabs, alarm wall, rotations, theme, and news in live mode.

const DATA = JSON.parse(document.getElementById("data").textContent);
const LIVE = DATA.live;
const NOT_A_NAME = { ALARM: "ALARM", OK: "OK", INSUFFICIENT_DATA: "NO DATA" };
const $ = (id) => document.getElementById(id);
let model = DATA.model;
let choice = {};
let only = "all";
const opened = new Set();

const alarmNamed = (name) => model.alarms.find((alarm) => alarm.name === name);
const short = (name) => (name.startsWith(`${model.stack}-`) ? name.slice(model.stack.length + 1) : name);
const sentence = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("-", " ");

function tabs() {
  const boards = model.dashboards.map((board) => ({ id: board.name, label: sentence(short(board.name)), show: () => dashboard(board.name) }));
  const ringing = model.alarms.filter((alarm) => alarm.state === "ALARM").length;
  return [
    ...boards,
    { id: "alarms", label: "Alarms", count: ringing || model.alarms.length, state: ringing ? "ALARM" : "", show: alarms },
    { id: "rotations", label: "Rotations", count: model.rotations.length, show: rotations },
  ];
}

const current = () => tabs().find((tab) => tab.id === decodeURIComponent(location.hash.slice(1))) || tabs()[0];

function header() {
  $("title").textContent = document.title = model.title;
  $("stack").textContent = `stack ${model.stack}`;
  $("clock").textContent = `${date(model.now)} UTC`;
  $("clock").dateTime = model.now;
  const counts = Object.groupBy(model.alarms, (alarm) => alarm.state);
  const state = counts.ALARM ? "ALARM" : counts.OK ? "OK" : "INSUFFICIENT_DATA";
  const ringing = counts.ALARM?.length;
  $("health").className = `health ${state}`;
  $("health").textContent = ringing ? `${ringing} alarm${ringing > 1 ? "s" : ""} ringing` : state === "OK" ? "All quiet" : "Not evaluated yet";
  const chosen = current();
  const focused = $("tabs").contains(document.activeElement);
  $("tabs").replaceChildren(...tabs().map((tab) =>
    h("button", { type: "button", role: "tab", id: `tab-${tab.id}`, "aria-selected": String(tab.id === chosen.id), tabindex: tab.id === chosen.id ? "0" : "-1", onclick: () => go(tab.id) },
      tab.label, tab.count ? h("span", { class: `count ${tab.state || ""}` }, String(tab.count)) : null)));
  if (focused) $("tabs").querySelector('[aria-selected="true"]').focus();
}

function go(id) {
  if (decodeURIComponent(location.hash.slice(1)) === id) return show();
  location.hash = encodeURIComponent(id);
}

let shown = "";
function show() {
  const tab = current();
  if (shown !== tab.id) $("main").replaceChildren();
  shown = tab.id;
  header();
  return Promise.resolve(tab.show()).then(() => { $("main").dataset.shown = tab.id; });
}

function controls(board) {
  const fields = board.variables.filter((variable) => variable.visible).map((variable) => {
    const set = (event) => { choice[variable.id] = event.target.value; refresh(); };
    const value = choice[variable.id] ?? variable.value ?? "";
    const field = variable.input === "input" && !variable.options.length
      ? h("input", { name: variable.id, value, onchange: set })
      : h("select", { name: variable.id, onchange: set }, ...variable.options.map((option) => h("option", { value: option.value, selected: option.value === value }, option.label)));
    return h("label", {}, variable.label, field);
  });
  return h("div", { class: "controls" }, ...fields, h("span", { class: "range muted" }, `${date(board.start)} – ${date(board.end)} UTC`));
}

function variant(board, widget) {
  const standard = Object.fromEntries(board.variables.map((variable) => [variable.id, variable.value]));
  const key = [...widget.variables].sort().filter((id) => (choice[id] ?? standard[id] ?? null) !== null).map((id) => `${id}=${choice[id] ?? standard[id]}`).join("&");
  return widget.variants[key] || Object.values(widget.variants)[0];
}

/** Draws a dashboard, or only what has changed in it. */
function dashboard(name) {
  const board = model.dashboards.find((one) => one.name === name);
  const main = $("main");
  if (!main.querySelector(".grid")) main.append(h("div"), h("div", { class: "grid" }));
  main.firstChild.replaceWith(h("div", {}, problems(), controls(board)));
  const grid = main.querySelector(".grid");
  while (grid.children.length > board.widgets.length) grid.lastChild.remove();
  return Promise.all(board.widgets.map((widget, index) => {
    const frame = grid.children[index] || grid.appendChild(h("section"));
    return draw(frame, widget, variant(board, widget));
  }));
}

function draw(frame, widget, content) {
  const drawn = JSON.stringify([content, document.documentElement.dataset.theme, content.kind === "alarms" ? [model.alarms, model.now] : ""]);
  if (frame.drawn === drawn) return null;
  frame.drawn = drawn;
  const kind = content.kind in PLOTS ? "chart" : content.kind;
  frame.className = `widget is-${kind}${content.plain ? " plain" : ""}${widget.width <= 6 ? " narrow" : ""}`;
  frame.style.setProperty("--column", `${widget.x + 1} / span ${widget.width}`);
  frame.style.setProperty("--row", `${widget.y + 1} / span ${widget.height}`);
  frame.setAttribute("aria-label", widget.title || widget.type);
  if (!frame.lastChild) frame.append(h("h2"), h("div", { class: "body" }));
  const [title, body] = frame.children;
  title.textContent = widget.title;
  title.hidden = !widget.title;
  const plotted = kind === "chart" && !content.empty;
  if (!plotted && body.querySelector(".js-plotly-plot")) Plotly.purge(body.querySelector(".js-plotly-plot"));
  if (plotted) {
    if (!body.querySelector(".plot")) body.replaceChildren();
    return plot(body, content);
  }
  body.replaceChildren(inside(content));
  return null;
}

function inside(content) {
  switch (content.kind) {
    case "text": return rendered(content.html);
    case "alarms": return h("div", { class: "tiles" }, ...content.names.map((name) => tile(alarmNamed(name))));
    case "error": return h("div", { class: "nothing error" }, content.text);
    case "singleValue": return numbers(content);
    case "bar": if (!content.empty) return bars(content); break;
    case "table": if (!content.empty) return table(content);
  }
  return h("div", { class: "nothing" }, "No data in this stretch of time");
}

function tile(alarm) {
  return h("button", { type: "button", class: `tile ${alarm.state}`, title: alarm.name, onclick: () => open(alarm.name) },
    h("b", {}, sentence(short(alarm.name))), h("span", {}, `${NOT_A_NAME[alarm.state]}${alarm.since ? ` · ${ago(alarm.since, model.now)}` : ""}`));
}

function open(name) {
  only = "all";
  opened.add(name);
  go("alarms");
  requestAnimationFrame(() => document.querySelector(`[data-alarm="${CSS.escape(name)}"]`)?.scrollIntoView({ block: "start" }));
}

function problems() {
  if (!model.problems.length) return null;
  const newest = model.problems.slice(-3);
  return h("div", { class: "problems", role: "alert" }, h("b", {}, `${model.problems.length} log line${model.problems.length > 1 ? "s" : ""} would lose metrics in CloudWatch`), ...newest.map((text) => h("p", {}, text)));
}

function folding(name, kind, attributes, summary, ...rest) {
  const ontoggle = (event) => (event.target.open ? opened.add(name) : opened.delete(name));
  return h("details", { class: kind, open: opened.has(name), ontoggle, ...attributes }, h("summary", {}, ...summary), ...rest);
}

function alarms() {
  const ringing = model.alarms.filter((alarm) => alarm.state === "ALARM");
  const listed = only === "ringing" ? ringing : only === "rang" ? model.alarms.filter((alarm) => alarm.history.some((change) => change.after === "ALARM")) : model.alarms;
  const choose = (value, label) => h("option", { value, selected: only === value }, label);
  $("main").replaceChildren(
    h("div", { class: "controls" },
      h("label", {}, "Show", h("select", { name: "alarms", onchange: (event) => { only = event.target.value; alarms(); } },
        choose("all", `all ${model.alarms.length}`), choose("ringing", "ringing now"), choose("rang", "that ever rang"))),
      h("span", { class: "range muted" }, `history: ${date(model.start)} – ${date(model.now)} UTC`)),
    listed.length ? h("div", { class: "list" }, ...listed.map(alarm)) : h("div", { class: "list nothing" }, "None of the alarms is ringing."));
}

function alarm(one) {
  const strip = h("div", { class: "strip", role: "img", "aria-label": `${one.history.filter((change) => change.after === "ALARM").length} times in ALARM` },
    ...one.strip.map((part) => {
      const piece = h("i", { class: part.state });
      piece.style.left = `${part.start * 100}%`;
      piece.style.width = `${part.width * 100}%`;
      return piece;
    }));
  const fact = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const row = (change) => h("tr", {}, h("td", {}, time(change.time)), h("td", {}, h("span", { class: `state ${change.after}` }, NOT_A_NAME[change.after])), h("td", {}, change.reason));
  return folding(one.name, `alarm ${one.state}`, { "data-alarm": one.name },
    [h("span", { class: `state ${one.state}` }, NOT_A_NAME[one.state]),
      h("span", { class: "who" }, h("b", {}, one.name), one.severity ? h("span", { class: "chip" }, one.severity) : null),
      strip, h("span", { class: "since" }, one.since ? `for ${ago(one.since, model.now)}` : "")],
    h("div", { class: "inside" }, rendered(one.description),
      h("dl", { class: "facts" },
        ...fact("State", one.reason),
        ...fact(one.composite ? "Composite" : "Goes off when", one.condition),
        ...(one.tells.length ? fact("Tells", one.tells.join(", ")) : []),
        ...(one.children.length ? fact("Watches", h("span", { class: "children" }, ...one.children.map((name) => tile(alarmNamed(name))))) : [])),
      h("table", { class: "changes" }, h("tbody", {}, ...one.history.slice(0, 50).map(row)))));
}

function rotations() {
  if (!model.rotations.length) return $("main").replaceChildren(h("div", { class: "list nothing" }, "No rotation has left a trace yet."));
  $("main").replaceChildren(
    h("div", { class: "controls" }, h("span", { class: "muted" }, "The newest rotations, one waterfall each. Waiting time between invocations is left out.")),
    h("div", { class: "list" }, ...model.rotations.map((one) => folding(one.name, "rotation", { "data-rotation": one.name },
      [h("span", { class: `state ${one.failed ? "ALARM" : "OK"}` }, one.failed ? "FAILED" : "DONE"), h("span", { class: "id mono" }, one.name),
        h("span", { class: "when" }, `${time(one.start)} UTC · ${one.invocations} invocation${one.invocations > 1 ? "s" : ""} · ${spoken(one.duration, "s")}`)],
      h("div", { class: "spans" }, ...one.rows.map((row) => spanOf(row, one)))))));
}

function spanOf(row, rotation) {
  const whole = rotation.duration || 1;
  const piece = h("i");
  piece.style.left = `${(row.start / whole) * 100}%`;
  piece.style.width = `${(row.duration / whole) * 100}%`;
  const told = row.depth ? [] : Object.entries(row.annotations).filter(([, value]) => value !== rotation.name && value.length < 30).slice(0, 4);
  // Powertools marks the handler's own subsegment with "## ".
  const label = h("span", { class: "label", title: row.trace ? `${row.name} (trace ${row.trace})` : row.name }, row.name.replace(/^## /, ""),
    ...told.map(([name, value]) => h("span", { class: row.status === "ok" ? "chip" : "chip bad", title: name }, value)));
  const cause = row.cause ? h("span", { class: "why" }, row.cause) : null;
  for (const element of [label, cause]) if (element) element.style.paddingLeft = `${row.depth * 16}px`;
  return h("div", { class: `span ${row.status}${row.depth ? "" : " root"}` }, label,
    h("span", { class: "track" }, piece), h("span", { class: "took" }, row.running ? "running" : spoken(row.duration, "s")), cause);
}

const THEMES = ["auto", "light", "dark"];
function theme(next) {
  const wanted = next || "auto";
  const dark = wanted === "dark" || (wanted === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").replaceChildren(h("i", { "aria-hidden": "true" }, "◐"), h("span", {}, sentence(wanted)));
  $("theme").setAttribute("aria-label", `Colours: ${wanted}`);
  $("theme").title = "Colours: as the system, light or dark";
  $("theme").onclick = () => { remember(THEMES[(THEMES.indexOf(wanted) + 1) % THEMES.length]); theme(remembered()); show(); };
}
// A file opened from disk may be denied storage: then the choice lasts as long as the page.
let chosenTheme = null;
function remembered() { try { return localStorage.getItem("theme") || chosenTheme; } catch { return chosenTheme; } }
function remember(value) { chosenTheme = value; try { localStorage.setItem("theme", value); } catch { /* see above */ } }

async function refresh() {
  if (!LIVE) return show();
  const query = new URLSearchParams(choice);
  const answer = await fetch(`${LIVE.model}?${query}`);
  const news = await answer.json();
  model = news.model;
  faults(news.faults);
  return show();
}

function faults(list) {
  if (!list) return;
  $("faults").hidden = !list.length;
  $("faults").replaceChildren(h("h2", {}, "Failures to switch on"), ...list.map((fault) =>
    h("button", { type: "button", class: "switch", role: "switch", "aria-checked": String(fault.on), "data-fault": fault.id, onclick: flip(fault) }, h("i"), fault.label)));
}

const flip = (fault) => async (event) => {
  event.currentTarget.disabled = true;
  await fetch(`${LIVE.faults}/${encodeURIComponent(fault.id)}`, { method: "POST", headers: { "Content-Type": "application/json", "X-Preview-Token": LIVE.token }, body: JSON.stringify({ on: !fault.on }) });
  await refresh();
};

function listen() {
  const events = new EventSource(LIVE.events);
  const link = $("link");
  const tell = (text, lost) => { link.hidden = false; link.textContent = text; link.classList.toggle("lost", lost); };
  events.onopen = () => tell("live", false);
  events.onerror = () => tell("connection lost", true);
  let waiting = Promise.resolve(), queued = false;
  events.onmessage = () => {
    // News that come while a redraw is under way are one redraw together.
    if (queued) return;
    queued = true;
    waiting = waiting.then(() => { queued = false; return refresh(); }).catch(() => tell("connection lost", true));
  };
}

$("health").onclick = () => { only = model.alarms.some((one) => one.state === "ALARM") ? "ringing" : "all"; go("alarms"); if (shown === "alarms") alarms(); };
$("tabs").onkeydown = (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const all = tabs();
  go(all[(all.findIndex((tab) => tab.id === current().id) + step + all.length) % all.length].id);
};
addEventListener("hashchange", show);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { theme(remembered()); show(); });

if (model.rotations.length) opened.add((model.rotations.find((one) => one.failed) || model.rotations[0]).name);
for (const one of model.alarms) if (one.state === "ALARM") opened.add(one.name);
theme(remembered());
if (LIVE) faults(LIVE.now);
show().then(() => { document.documentElement.dataset.ready = "yes"; if (LIVE) listen(); });
