"use strict";
// The map: panned and zoomed by the library, searched and chosen on here. The address names the node: #12.
const { variables, actions, nodes, edges, whole, observer } = JSON.parse(document.getElementById("data").textContent);
const map = document.querySelector(".map");
const scene = map.querySelector(".scene");
const ways = scene.querySelector(".ways");
const [overview, panel] = [".overview", ".chosen"].map((name) => document.querySelector(name));
const [search, matches] = ["input", "output"].map((name) => document.querySelector(`.tools ${name}`));
const shapes = [...scene.querySelectorAll(".node")];
const places = shapes.map((shape) => {
  const { e, f } = shape.transform.baseVal[0].matrix;
  const { width, height } = shape.firstElementChild.getBBox();
  return { x: e + width / 2, y: f + height / 2, width, height };
});
const drawn = new Map([...ways.children].map((way) => [`${way.dataset.from} ${way.dataset.to}`, way]));
const onwards = nodes.map(() => []);
const before = nodes.map(() => []);
for (const edge of edges) {
  onwards[edge[0]].push(edge);
  before[edge[1]].push(edge);
}
const path = []; // the node of each step of the counterexample
nodes.forEach((node, number) => node.path.forEach((step) => { path[step] = number; }));
const view = panzoom(scene, {
  disableKeyboardInteraction: true, smoothScroll: false, zoomDoubleClickSpeed: 1, maxZoom: 6, onTouch: () => false,
});
view.on("transform", () => {
  const { scale } = view.getTransform();
  map.classList.toggle("far", scale < 0.4); // names of boxes in place of words that are too small to read
  map.style.setProperty("--scale", scale);
});
let now = null; // the chosen node
let at = 0; // the step of the counterexample
let found = null; // the nodes that were searched for

// -- the view

function look({ x, y, width, height }, closest) {
  const frame = map.getBoundingClientRect();
  const scale = Math.min(frame.width / (width + 40), frame.height / (height + 40), closest);
  view.zoomAbs(0, 0, scale);
  view.moveTo(frame.width / 2 - scale * x, frame.height / 2 - scale * y);
}

function middle({ x, y, width, height }) {
  return { x: x + width / 2, y: y + height / 2, width, height };
}

const fit = () => look(middle(scene.getBBox()), 1.5);

function zoom(factor) {
  const frame = map.getBoundingClientRect();
  view.zoomTo(frame.width / 2, frame.height / 2, factor);
}

function seen({ x, y }) {
  const { scale, x: left, y: top } = view.getTransform();
  const frame = map.getBoundingClientRect();
  const [px, py] = [x * scale + left, y * scale + top];
  return scale > 0.45 && px > 40 && py > 30 && px < frame.width - 40 && py < frame.height - 30;
}

// -- words

function make(tag, given = {}, ...inside) {
  const { on, ...attributes } = given;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  for (const [event, does] of Object.entries(on ?? {})) element.addEventListener(event, does);
  element.append(...inside.filter((part) => part !== null));
  return element;
}

const sentence = (action) => `${actions[action].thread}: ${actions[action].does}`;
const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

function differences(one, other) {
  return variables.flatMap(({ title }, i) =>
    nodes[one].values[i] === nodes[other].values[i] ? [] : `${title}: ${nodes[one].values[i]} → ${nodes[other].values[i]}`);
}

// A step to or from a neighbour: who does what, and what changes.
function link(edge, other) {
  const [from, to, taken, , steps] = edge;
  const lines = steps.map(([step, action]) => make("span", { class: "step" }, `step ${step} of the counterexample, ${sentence(action)}`));
  const others = taken.filter((action) => !steps.some(([, stepped]) => stepped === action));
  lines.push(...others.map((action) => make("b", {}, sentence(action), make("br"))));
  lines.push(...(from === to ? [] : differences(from, to)).map((line) => make("span", { class: "soft" }, line)));
  const way = () => drawn.get(`${from} ${to}`);
  const point = (wanted) => () => {
    shapes[other].classList.toggle("looked", wanted);
    way()?.classList.toggle("looked", wanted);
  };
  const on = { click: () => choose(other), mouseenter: point(true), mouseleave: point(false), focus: point(true), blur: point(false) };
  return make("li", {}, make("button", { type: "button", "data-node": other, on }, ...lines));
}

function links(title, kind, list, end) {
  if (!list.length) return null;
  const first = [...list].sort((one, other) => other[4].length - one[4].length);
  return make("section", { class: kind }, make("h3", {}, `${title} (${list.length})`),
    make("ul", { class: "links" }, ...first.map((edge) => link(edge, edge[end]))));
}

function tags(node) {
  const words = [node.initial && "a run can start here", node.final && "final", node.deadlock && "deadlock",
    ...node.violating.map((name) => `violates ${name}`), node.open && "leads on to states that were not explored"];
  return make("p", { class: "tags" }, ...words.filter(Boolean).map((word) =>
    make("span", { class: /deadlock|violates/.test(word) ? "tag bad" : "tag" }, word)));
}

let unfolded = true; // whether values are to be seen

function values(node) {
  const parts = [make("summary", {}, "What it holds")];
  let owner = null;
  variables.forEach((variable, i) => {
    if (variable.owner !== owner) {
      owner = variable.owner;
      parts.push(make("h3", {}, owner), make("dl", { class: "held" }));
    }
    parts.at(-1).append(make("div", variable.ghost ? { class: "ghost", title: observer } : {},
      make("dt", { title: variable.name }, variable.title), make("dd", {}, node.values[i])));
  });
  const details = make("details", { on: { toggle: () => { unfolded = details.open; } } }, ...parts);
  details.open = unfolded;
  return details;
}

function walk() {
  if (!path.length) return null;
  const on = path[at] === now;
  const step = (by, name) => {
    const button = make("button", { type: "button", "aria-label": name, on: { click: () => follow(at + by) } }, by < 0 ? "◀" : "▶");
    button.disabled = on && path[at + by] === undefined;
    return button;
  };
  const where = on ? (at ? `after step ${at} of ${path.length - 1}` : "the counterexample starts here") : "to the counterexample";
  return make("div", { class: "walk" }, step(-1, "back along the counterexample"), make("span", {}, where), step(1, "on along the counterexample"));
}

function tell(number) {
  const node = nodes[number];
  const size = whole ? `state ${number}` : `${plural(node.size, "state")} in this node`;
  const far = node.distance ? `${plural(node.distance, "step")} from the start` : "at the start";
  const stays = onwards[number].filter(([from, to]) => from === to);
  panel.replaceChildren(...[
    walk(),
    make("h2", {}, `Node ${number}`),
    make("p", { class: "soft" }, `${size}, ${far}`),
    tags(node),
    values(node),
    links("Leads to", "onwards", onwards[number].filter(([from, to]) => from !== to), 1),
    links("Comes from", "before", before[number].filter(([from, to]) => from !== to), 0),
    links("Stays here", "stays", stays, 1),
  ].filter((part) => part !== null));
  panel.parentElement.scrollTop = 0;
}

// -- choosing

function straight(from, to) {
  const [one, other] = [places[from], places[to]];
  const way = document.createElementNS(map.namespaceURI, "path");
  const half = `${(one.x + other.x) / 2} ${(one.y + other.y) / 2}`;
  way.setAttribute("d", `M${one.x} ${one.y}L${half}L${other.x} ${other.y}`);
  way.classList.add("way", "added");
  ways.append(way);
  drawn.set(`${from} ${to}`, way);
  return way;
}

function light(list, kind, end, mark) {
  for (const edge of list) {
    if (edge[0] === edge[1]) continue;
    (drawn.get(`${edge[0]} ${edge[1]}`) ?? straight(edge[0], edge[1])).classList.add(kind);
    shapes[edge[end]].classList.add(mark);
  }
}

function letGo() {
  for (const [name, way] of drawn) {
    way.classList.remove("onwards", "before", "looked");
    if (way.classList.contains("added")) {
      way.remove();
      drawn.delete(name);
    }
  }
  for (const shape of shapes) shape.classList.remove("now", "next", "prior", "looked");
}

function choose(number, quiet = false) {
  letGo();
  now = number;
  panel.hidden = now === null;
  overview.hidden = now !== null;
  if (now !== null) {
    const steps = nodes[now].path;
    if (steps.length && !steps.includes(at)) [at] = steps;
    light(before[now], "before", 0, "prior");
    light(onwards[now], "onwards", 1, "next");
    shapes[now].classList.add("now");
    if (!seen(places[now])) look(places[now], 1.2);
    tell(now);
  }
  if (!quiet && location.hash !== `#${now ?? ""}`) history.pushState(null, "", `#${now ?? ""}`);
}

function follow(step) {
  if (path[step] === undefined) return;
  if (now !== null && path[at] !== now) step = at; // back to where it was left
  at = step;
  choose(path[at]);
}

// The nearest node in a direction; what is off to the side counts as further away.
function towards(dx, dy) {
  const from = now === null ? { x: -1e5 * dx, y: -1e5 * dy } : places[now];
  let best = null;
  let least = Infinity;
  places.forEach((place, number) => {
    const along = (place.x - from.x) * dx + (place.y - from.y) * dy;
    const aside = Math.abs((place.x - from.x) * dy) + Math.abs((place.y - from.y) * dx);
    if (number !== now && along > 1 && along + 3 * aside < least) [best, least] = [number, along + 3 * aside];
  });
  if (best !== null) choose(best);
}

// -- searching: every part between commas has to be in one of a node's lines

const lines = nodes.map((node, number) => [
  ...variables.flatMap(({ name, title }, i) => [`${name} ${node.values[i]}`, `${title} ${node.values[i]}`]),
  `#${number}`, ...node.violating.map((name) => `violates ${name}`),
  ...["initial", "final", "deadlock"].filter((kind) => node[kind]), ...(node.path.length ? ["counterexample"] : []),
].map((line) => line.toLowerCase()));

function find() {
  const wanted = search.value.toLowerCase().split(",").map((part) => part.trim()).filter(Boolean);
  found = wanted.length
    ? [...nodes.keys()].filter((n) => wanted.every((part) => lines[n].some((line) => line.includes(part)))) : null;
  map.classList.toggle("searching", found !== null);
  shapes.forEach((shape, number) => shape.classList.toggle("match", found?.includes(number) ?? false));
  matches.textContent = found === null ? "" : `${found.length.toLocaleString("en")} of ${plural(nodes.length, "node")}`;
}

function next(by) {
  if (!found?.length) return;
  const place = found.indexOf(now);
  choose(found[place < 0 ? 0 : (place + by + found.length) % found.length]);
}

search.addEventListener("input", find);
search.form.addEventListener("submit", (event) => event.preventDefault());

// -- mouse and keys

let pressed = null;
map.addEventListener("pointerdown", (event) => { pressed = event; }, true);
map.addEventListener("click", (event) => {
  if (pressed && Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY) > 5) return; // it was a pan
  const shape = event.target.closest(".node");
  choose(shape ? Number(shape.dataset.node) : null);
});
overview.addEventListener("click", (event) => {
  const name = event.target.closest("[data-box]")?.dataset.box;
  const box = name === undefined ? null : [...scene.querySelectorAll(".box")].find((each) => each.dataset.box === name);
  if (box) look(middle(box.getBBox()), 1.2);
});
for (const [name, does] of [["in", () => zoom(1.4)], ["out", () => zoom(1 / 1.4)], ["fit", fit]]) {
  document.querySelector(`.tools .${name}`).addEventListener("click", does);
}
const keys = {
  "/": () => search.focus(), "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: fit,
  n: () => follow(now === null ? at : at + 1), p: () => follow(now === null ? at : at - 1),
  ArrowLeft: () => towards(-1, 0), ArrowRight: () => towards(1, 0), ArrowUp: () => towards(0, -1), ArrowDown: () => towards(0, 1),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape") {
    search.value = "";
    find();
    search.blur();
    choose(null);
  } else if (event.target === search) {
    if (event.key === "Enter") next(event.shiftKey ? -1 : 1);
  } else if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

function named() {
  const number = /^#\d+$/.test(location.hash) ? Number(location.hash.slice(1)) : null;
  choose(number !== null && number < nodes.length ? number : null, true);
}

window.addEventListener("popstate", named);
window.addEventListener("resize", () => {
  if (now === null) fit();
  else if (!seen(places[now])) look(places[now], 1.2);
});
fit();
named();
