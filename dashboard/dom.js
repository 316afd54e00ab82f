// Making and changing elements. All text goes through textContent; nothing here reads HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: h("p", {class: "muted"}, "text", child). A null child is left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Set text only when it differs, so that a selection survives the next poll. */
export function setText(element, text) {
  const value = text === null || text === undefined ? "" : String(text);
  if (element.textContent !== value) element.textContent = value;
}

export function setClass(element, name) {
  if (element.className !== name) element.className = name;
}

const made = new WeakMap();

/** Replace the children, but only when `key` (what they are made from) has changed. */
export function renderOnce(element, key, make) {
  const text = JSON.stringify(key) ?? "";
  if (made.get(element) === text) return;
  made.set(element, text);
  element.replaceChildren(...[make()].flat().filter(Boolean));
}

/** Keep one child per item, in order; existing ones are updated in place, so focus stays. */
export function keyed(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = old.get(key);
    if (!child) {
      child = make(item);
      child.dataset.key = key;
    }
    old.delete(key);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
  for (const child of old.values()) child.remove();
}

/** A command with a button that copies it. */
export function commandLine(command) {
  const button = h("button", { type: "button", class: "quiet", "aria-label": `Copy: ${command}` }, "Copy");
  button.addEventListener("click", () => copy(command, button));
  return h("span", { class: "command" }, h("code", {}, command), button);
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // The browser forbids it: select the text, so that Ctrl-C does.
    getSelection().selectAllChildren(button.previousElementSibling);
    button.textContent = "Press Ctrl-C";
  }
}
