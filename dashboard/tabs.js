// A row of tabs over panes that are in the page: click or arrow keys choose.

import { h, setText } from "./dom.js";

/**
 * Make tabs in `root` for panes `pane-ID`, or for one `pane` that all of them fill; show(id) draws, choose(id) is
 * called when somebody picks one.
 */
export function tabRow(root, label, names, choose, pane = null) {
  const ids = Object.keys(names);
  const buttons = new Map(ids.map((id) => [id, h("button", { type: "button", class: "quiet", role: "tab", id: `tab-${id}`, "aria-controls": pane ?? `pane-${id}` }, names[id])]));
  root.replaceChildren(h("div", { class: "tabs", role: "tablist", "aria-label": label }, [...buttons.values()]));
  for (const [id, button] of buttons) {
    button.addEventListener("click", () => choose(id));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = ids[(ids.indexOf(id) + step + ids.length) % ids.length];
      choose(next);
      buttons.get(next).focus();
    });
  }
  return {
    /** `notes` are short words behind a tab's name, such as a count. */
    show(chosen, notes = {}) {
      for (const [id, button] of buttons) {
        const on = id === chosen;
        button.setAttribute("aria-selected", String(on));
        button.tabIndex = on ? 0 : -1;
        setText(button, notes[id] ? `${names[id]} ${notes[id]}` : names[id]);
        if (!pane) document.getElementById(`pane-${id}`).hidden = !on;
      }
    },
  };
}
