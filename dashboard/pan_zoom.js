// A drawing that is dragged with the pointer and zoomed with the wheel, the keyboard or buttons.

const LEAST = 0.5;
const MOST = 1.9;
const STEP = 1.2;
const PAN = 40; // pixels per arrow key
const SLACK = 3; // pixels a click may wobble before it is a drag

/**
 * Make `canvas` (inside `frame`, origin at its top left) movable. `size()` gives its natural {width, height}, zero while
 * it is not to be moved. Until somebody moves it, `refit()` keeps the whole drawing in view.
 */
export function panZoom(frame, canvas, size) {
  const view = { x: 0, y: 0, k: 1, moved: false };
  const apply = () => { canvas.style.transform = `translate(${view.x.toFixed(1)}px, ${view.y.toFixed(1)}px) scale(${view.k.toFixed(3)})`; };
  const controls = {
    scale: () => view.k,
    fit() {
      const [w, h] = [frame.clientWidth, frame.clientHeight];
      if (!w || !h) return;
      const { width, height } = size().width ? size() : { width: w, height: h };
      const k = Math.min(1.1, Math.max(LEAST, Math.min(w / width, h / height)));
      Object.assign(view, { k, x: Math.max(0, (w - width * k) / 2), y: Math.max(0, (h - height * k) / 2), moved: false });
      apply();
    },
    refit() { if (!view.moved) controls.fit(); },
    /** Zoom by a factor around a point of the frame; returns whether anything changed. */
    zoom(factor, cx = frame.clientWidth / 2, cy = frame.clientHeight / 2) {
      if (!size().width) return false;
      const k = Math.min(MOST, Math.max(LEAST, view.k * factor));
      if (k === view.k) return false;
      Object.assign(view, { x: cx - ((cx - view.x) * k) / view.k, y: cy - ((cy - view.y) * k) / view.k, k, moved: true });
      apply();
      return true;
    },
    pan(dx, dy) {
      if (!size().width) return;
      Object.assign(view, { x: view.x + dx, y: view.y + dy, moved: true });
      apply();
    },
  };
  listen(frame, controls);
  return controls;
}

function listen(frame, controls) {
  frame.addEventListener("wheel", (event) => {
    const box = frame.getBoundingClientRect();
    // At the end of the zoom the wheel scrolls the page again.
    if (controls.zoom(event.deltaY < 0 ? STEP : 1 / STEP, event.clientX - box.left, event.clientY - box.top)) event.preventDefault();
  }, { passive: false });
  frame.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button, a") || event.pointerType === "touch") return;
    drag(frame, event, (dx, dy) => controls.pan(dx, dy));
  });
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (zoomKey(controls, event.key) || (event.target === frame && panKey(controls, event.key))) event.preventDefault();
  });
}

function zoomKey(controls, key) {
  if (key === "+" || key === "=") return controls.zoom(STEP) || true;
  if (key === "-") return controls.zoom(1 / STEP) || true;
  if (key !== "0") return false;
  controls.fit();
  return true;
}

function panKey(controls, key) {
  const [dx, dy] = { ArrowLeft: [PAN, 0], ArrowRight: [-PAN, 0], ArrowUp: [0, PAN], ArrowDown: [0, -PAN] }[key] ?? [0, 0];
  if (dx || dy) controls.pan(dx, dy);
  return Boolean(dx || dy);
}

/** Follow a pressed pointer: `move(dx, dy)` since the last call, `end(dragged)` when it is let go. */
export function drag(element, down, move, end = () => {}) {
  const last = { x: down.clientX, y: down.clientY, dragged: false };
  element.setPointerCapture(down.pointerId); // also when it is moved faster than the element follows
  const onMove = (event) => {
    const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
    if (!last.dragged && Math.hypot(dx, dy) < SLACK) return;
    Object.assign(last, { x: event.clientX, y: event.clientY, dragged: true });
    move(dx, dy);
  };
  const onEnd = () => {
    element.removeEventListener("pointermove", onMove);
    for (const name of ["pointerup", "pointercancel"]) element.removeEventListener(name, onEnd);
    end(last.dragged);
  };
  element.addEventListener("pointermove", onMove);
  for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, onEnd);
}

/** The three buttons beside a drawing: smaller, larger, all of it. */
export function zoomButtons(controls, h) {
  const button = (words, label, act) => h("button", { type: "button", class: "quiet", "aria-label": label, title: label, onclick: act }, words);
  return [button("−", "Zoom out", () => controls.zoom(1 / STEP)), button("+", "Zoom in", () => controls.zoom(STEP)), button("Fit", "Fit the whole graph", () => controls.fit())];
}
