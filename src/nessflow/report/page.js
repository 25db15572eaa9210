"use strict";

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
const choice = (names) => element("select", {}, ...names.map((name) => new Option(name, name)));
const withUnit = (text, unit) => (unit ? `${text} (${unit})` : text);

// The address names the study that is open: ways back and forth are those of the browser.
const byId = (id) => document.getElementById(id);
const articles = [...document.querySelectorAll("article")];
const index = JSON.parse(byId("Index").textContent);
const inContents = new Map(
  [...document.querySelectorAll("#Contents li li")].map((item) => [item.querySelector("a").hash.slice(1), item]));
const heading = document.title;
let open = null;

function settle() {
  const [before, now] = [open, articles.find(({ id }) => `#${id}` === location.hash) ?? null];
  open = now;
  document.title = open ? `${open.querySelector("h3").textContent} – ${heading}` : heading;
  for (const article of articles) article.querySelector(".figures").inert = article !== open;
  document.querySelector("#Contents [aria-current]")?.removeAttribute("aria-current");
  if (open) {
    const item = inContents.get(open.id);
    item.querySelector("a").setAttribute("aria-current", "page");
    const [list, { top, bottom }] = [byId("Contents"), item.getBoundingClientRect()];
    const seen = list.getBoundingClientRect();
    if (top < seen.top || bottom > seen.bottom) list.scrollTop += top - seen.top - seen.height / 3;
  } else if (before && document.activeElement !== byId("Words")) {
    before.querySelector("h3 a").focus();
  }
}
window.addEventListener("hashchange", settle);

// Without room the contents are closed until they are asked for, and when they have led somewhere.
{
  const [narrow, contents] = [matchMedia("(max-width: 56rem)"), document.querySelector("#Contents details")];
  const fold = () => { contents.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  contents.addEventListener("click", (event) => event.target.closest("a") && fold());
  fold();
}

// Filter by words, by parameter or axis, and by its value.
{
  const [words, parameter, value, marked] = ["Words", "Parameter", "Value", "Marked"].map(byId);
  const groups = [...document.querySelectorAll(".group, .concerns, #Contents > details > ul > li")];
  const entries = [...document.querySelectorAll("#Contents li li, .concerns li")];
  const matches = (article, wanted) => {
    const { text, parameters } = index[article.id];
    const values = parameters[parameter.value];
    return wanted.every((word) => text.includes(word)) &&
      (!parameter.value || (values && (!value.value || values.includes(value.value)))) &&
      (!marked?.checked || article.querySelector(".mark"));
  };
  const show = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const article of articles) article.hidden = !matches(article, wanted);
    for (const entry of entries) entry.hidden = byId(entry.querySelector("a").hash.slice(1)).hidden;
    for (const group of groups) group.hidden = !group.querySelector("article:not([hidden]), li:not([hidden])");
    const shown = articles.filter((article) => !article.hidden);
    shown.forEach((article, place) => {
      for (const [rel, other] of [["prev", shown[place - 1]], ["next", shown[place + 1]]]) {
        const link = article.querySelector(`.way [rel=${rel}]`);
        if (link && other) link.setAttribute("href", `#${other.id}`);
        if (link) link.hidden = !other;
      }
    });
    const all = shown.length === articles.length;
    byId("Count").value = all ? "" : `${shown.length} of ${articles.length} studies`;
    byId("Nothing").hidden = shown.length > 0;
    return shown;
  };
  const search = () => {
    if (open) {
      location.hash = "Studies";
      words.focus(); // which the way there takes away
    }
    show();
  };
  const byNumber = (a, b) => a - b || (a < b ? -1 : 1);
  const offer = () => {
    const values = new Set(
      Object.values(index).flatMap(({ parameters }) => parameters[parameter.value] ?? []));
    value.replaceChildren(
      new Option("any", ""), ...[...values].sort(byNumber).map((text) => new Option(text, text)));
    value.disabled = !parameter.value;
    show();
  };
  words.addEventListener("input", search);
  parameter.addEventListener("change", offer);
  value.addEventListener("change", show);
  marked?.addEventListener("change", show);
  byId("Filter").addEventListener("submit", (event) => {
    event.preventDefault();
    const [first] = show();
    if (first && words.value) location.hash = first.id;
  });
  byId("Nothing").querySelector("button").addEventListener("click", () => {
    byId("Filter").reset();
    offer();
    words.focus();
  });
  for (const id of ["Filter", "Choices", "Keys"]) byId(id).hidden = false;
  offer();
  settle();
}

document.addEventListener("keydown", (event) => {
  const elsewhere = event.target.closest("input, select, textarea, .wide, .plot, dialog");
  if (elsewhere || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const way = { ArrowLeft: "[rel=prev]", ArrowRight: "[rel=next]", Escape: ".up" }[event.key];
  const link = way && open?.querySelector(`.way ${way}:not([hidden])`);
  if (event.key === "/") {
    byId("Words").focus();
    byId("Words").select();
  } else if (link) link.click();
  else return;
  event.preventDefault();
});

for (const command of document.querySelectorAll("pre.command")) copied(command);

function copied(command) {
  const text = document.createTextNode(command.textContent);
  const button = element("button", { type: "button", class: "copy", "aria-live": "polite" }, "Copy");
  command.replaceChildren(button, text);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.data);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    } catch {
      // Marked, so that the keys of the system copy it.
      getSelection().selectAllChildren(command);
      getSelection().setBaseAndExtent(text, 0, text, text.length);
    }
  });
}

// Enlarged figures: the file beside the page where it is there, else the picture in the page.
{
  const dialog = byId("Enlarged");
  const [image, caption] = [dialog.querySelector("img"), dialog.querySelector("p")];
  for (const button of document.querySelectorAll(".enlarge")) {
    button.addEventListener("click", () => {
      const small = button.querySelector("img");
      image.onerror = () => {
        image.onerror = null;
        image.src = small.src;
      };
      image.src = button.dataset.file;
      image.alt = small.alt;
      caption.textContent = small.alt;
      dialog.showModal();
    });
  }
  dialog.querySelector("button").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

// Three bytes a number: the leading ones of a double.
function unpacked(text) {
  const bytes = atob(text);
  const count = bytes.length / 3;
  const values = new DataView(new ArrayBuffer(8));
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < 3; k++) values.setUint8(k, bytes.charCodeAt(3 * i + k));
    numbers[i] = values.getFloat64(0);
  }
  return numbers;
}

// Values of a variable along one dimension, at the given places of the others.
function along({ dims, variables }, numbers, name, x, places) {
  const variable = variables[name];
  let [stride, step, offset] = [1, 0, variable.start];
  for (const dim of [...variable.dims].reverse()) {
    if (dim === x) step = stride;
    else offset += stride * (places[dim] ?? 0);
    stride *= dims[dim].values.length;
  }
  return dims[x].values.map((_, i) => numbers[offset + i * step]);
}

function drawn(holder, { dims, variables }, name, x, logarithmic, source) {
  const [dim, variable] = [dims[x], variables[name]];
  const named = typeof dim.values[0] === "string";
  const kind = (on) => (on ? "log" : "linear");
  const label = (text) => text.replaceAll("$$", "$");
  const plot = Bokeh.Plotting.figure({
    ...(named ? { x_range: dim.values } : { x_axis_type: kind(logarithmic.x) }),
    y_axis_type: kind(logarithmic.y),
    x_axis_label: label(withUnit(dim.label, dim.unit)),
    y_axis_label: label(withUnit(name, variable.unit)),
    height: 320,
    sizing_mode: "stretch_width",
    tools: "pan,box_zoom,wheel_zoom,reset,save,hover",
  });
  plot.toolbar.logo = null;
  if (!named) plot.line({ field: "x" }, { field: "y" }, { source });
  plot.scatter({ field: "x" }, { field: "y" }, { source, size: 5 });
  holder.replaceChildren();
  Bokeh.Plotting.show(plot, holder);
}

function explore(details, study) {
  const content = JSON.parse(details.querySelector("script").textContent);
  const { dims, variables } = content;
  const numbers = unpacked(content.values);
  const command = index[study].point;
  const given = (dim) => dims[dim].natural ?? dims[dim].values;
  const [variable, x] = [choice(Object.keys(variables)), choice([])];
  const log = { x: element("input", { type: "checkbox" }), y: element("input", { type: "checkbox" }) };
  const [sliders, plot] = [element("div", { class: "controls" }), element("div", { class: "plot" })];
  const [words, point] = [element("p", { "aria-live": "polite" }), element("pre")];
  const places = {};
  let source;

  const shown = (dim) => {
    const value = dims[dim].values[places[dim] ?? 0];
    return `${dim} = ${value} ${dims[dim].unit}`.trim();
  };
  const line = () => {
    const y = along(content, numbers, variable.value, x.value, places);
    const finite = y.filter(Number.isFinite);
    const others = variables[variable.value].dims.filter((dim) => dim !== x.value);
    const range = finite.length
      ? `from ${Math.min(...finite).toPrecision(4)} to ${Math.max(...finite).toPrecision(4)}`
      : "undefined or failed";
    words.textContent =
      `${variables[variable.value].label}: ${finite.length} of ${y.length} values over ${x.value}, ` +
      [range, ...others.map(shown)].join(", ");
    const set = others.filter((dim) => dims[dim].axis)
      .map((dim) => ` --set ${quoted(`${dim}=${given(dim)[places[dim] ?? 0]}`)}`);
    const swept = dims[x.value].axis ? ` --set ${quoted(`${x.value}=${given(x.value)[0]}`)}` : "";
    point.textContent = command + swept + set.join("");
    return { x: dims[x.value].values, y };
  };
  const draw = () => {
    source = new Bokeh.ColumnDataSource({ data: line() });
    drawn(plot, content, variable.value, x.value, { x: log.x.checked, y: log.y.checked }, source);
  };
  const slider = (dim) => {
    const input = element("input", {
      type: "range", min: 0, max: dims[dim].values.length - 1, value: places[dim] ?? 0,
    });
    const output = element("output");
    const say = () => {
      output.value = shown(dim);
      input.setAttribute("aria-valuetext", output.value);
    };
    input.addEventListener("input", () => {
      places[dim] = Number(input.value);
      say();
      source.data = line();
    });
    say();
    return element("label", {}, dims[dim].label, input, output);
  };
  const arrange = () => {
    const others = variables[variable.value].dims.filter((dim) => dim !== x.value);
    sliders.replaceChildren(...others.filter((dim) => dims[dim].values.length > 1).map(slider));
    log.x.disabled = typeof dims[x.value].values[0] === "string";
    draw();
  };
  const choose = () => {
    const names = variables[variable.value].dims;
    const [before, longest] = [x.value, [...names].sort(
      (a, b) => dims[b].values.length - dims[a].values.length)[0]];
    x.replaceChildren(...names.map((dim) => new Option(withUnit(dim, dims[dim].unit), dim)));
    x.value = names.includes(before) ? before : longest;
    arrange();
  };
  details.append(
    element("div", { class: "controls" },
      element("label", {}, "Variable", variable), element("label", {}, "over", x),
      element("label", {}, log.x, "logarithmic axis"),
      element("label", {}, log.y, "logarithmic values")),
    sliders, plot, words,
    element("p", {}, "Values have four digits here and full precision in the data",
      content.left_out.length ? `; not in this page: ${content.left_out.join(", ")}.` : ".",
      " The first point of this line, computed by itself:"),
    point);
  variable.addEventListener("change", choose);
  x.addEventListener("change", arrange);
  for (const box of Object.values(log)) box.addEventListener("change", draw);
  if (content.first) variable.value = content.first;
  choose();
}

function quoted(text) {
  return /^[\w=.+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

// Nothing is drawn before it is asked for, nor what draws it run: the page opens at once.
for (const details of document.querySelectorAll(".explore")) {
  details.addEventListener("toggle", () => {
    for (const later of document.querySelectorAll(".later")) {
      later.replaceWith(element("script", {}, later.textContent));
    }
    explore(details, details.closest("article").id);
  }, { once: true });
}
