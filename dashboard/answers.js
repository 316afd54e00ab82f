// Exam prompts as they are answered: valid, score, what is missing; a click shows the graph and the program.

import { h, keyed, renderOnce, setText } from "./dom.js";
import { isNumber, list, objects, text } from "./format.js";
import { drawProgram } from "./program_graph.js";

/** Draw the newest answers into a list; existing rows stay, so an opened program stays open. */
export function showAnswers(element, state) {
  const rows = objects(state?.answers).filter((row) => text(row.prompt_id));
  keyed(element, rows, (row) => row.prompt_id, answerRow, updateAnswer);
  element.dataset.empty = rows.length ? "" : "true";
}

function answerRow() {
  return h("details", { class: "answer" },
    h("summary", {},
      h("span", { class: "mark" }), h("span", { class: "score number" }), h("span", { class: "bar thin" }, h("span")), h("span", { class: "asked" }), h("span", { class: "missing muted small" })),
    h("div", { class: "program-drawing" }), h("pre", { class: "program" }));
}

function updateAnswer(item, row) {
  const [summary, drawing, program] = item.children;
  const [mark, score, bar, asked, missing] = summary.children;
  const valid = row.valid === true;
  mark.className = `mark ${valid ? "done" : "failed"}`;
  setText(mark, valid ? "●" : "✕");
  mark.title = valid ? "a valid program" : "not a valid program";
  setText(score, isNumber(row.score) ? row.score.toFixed(2) : "–");
  bar.firstElementChild.style.width = `${Math.round(100 * Math.min(1, Math.max(0, isNumber(row.score) ? row.score : 0)))}%`;
  setText(asked, text(row.instruction));
  const names = list(row.missing).map((name) => text(name)).filter(Boolean);
  const reasons = list(row.reasons).map((reason) => text(reason)).filter(Boolean);
  setText(missing, !valid ? "not valid" : reasons[0] ?? (names.length ? `missing ${names.join(", ")}` : ""));
  missing.title = reasons.join("\n");
  // Drawn once opened: twelve graphs that nobody looks at would be made with every poll.
  item.ontoggle = () => drawInto(drawing, row, item.open);
  drawInto(drawing, row, item.open);
  setText(program, text(row.program, "no program"));
}

function drawInto(element, row, open) {
  if (open) renderOnce(element, text(row.program), () => drawProgram(text(row.program)));
}
