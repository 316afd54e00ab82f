// The dataset card of stage 20: sources, coverage, lengths, duplicates, and what the leak gate checked.

import { commandLine, h, renderOnce, s, setText } from "./dom.js";
import { ago, exact, isNumber, list, number, objects, plural, text } from "./format.js";
import { mark } from "./status.js";

const SHOWN = 6; // node types named; the card on disk names all
const KINDS = { synthetic: "generated", lesson: "lessons", manual: "by hand", translated: "from the editor", reinforcement: "reinforced" };

/** Draw the panel from the card; `dataset` is what older runs wrote. */
export function showTrainingData(parts, card, dataset, now) {
  setText(parts.made, card ? `merged ${ago(card.created_at, now)}` : "");
  parts.made.title = card ? exact(card.created_at) : "";
  renderOnce(parts.body, [card ?? null, dataset ?? null], () => (card ? sections(card) : none(dataset)));
}

function none(dataset) {
  const words = dataset
    ? `${number(dataset.rows)} rows, ${number(dataset.train)} to train on. There is no card of them; merging again writes one, and the next report shows it.`
    : "No training data has been merged yet, so nothing is known about it.";
  return h("div", { class: "no-card" }, h("p", { class: "muted" }, words), commandLine("python scripts/20_deduplicate_dataset.py"));
}

function sections(card) {
  return [
    section("Rows by source", sources(card)),
    section("Node types", coverage(card)),
    section("Duplicates", duplicates(card)),
    section("Leaks", leaks(card)),
  ];
}

const section = (title, content) => h("section", { class: "data-part" }, h("h3", {}, title), content);

function sources(card) {
  const rows = objects(card.sources);
  const most = Math.max(1, ...rows.map((row) => sum([row.train, row.val])));
  return [
    h("table", { class: "bars" },
      h("thead", { class: "visually-hidden" }, h("tr", {}, ["source", "share", "train", "held out"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.map((row) => h("tr", { title: refusals(row) },
        h("th", { scope: "row" }, KINDS[row.kind] ?? text(row.kind)),
        h("td", { class: "bar-cell" }, bar([row.train, row.val], most)),
        h("td", { class: "number" }, number(row.train)),
        h("td", { class: "number muted" }, number(row.val)))))),
    h("p", { class: "muted small" }, `${number(card.rows?.train)} to train on, ${number(card.rows?.val)} held out for the loss. ${number(removed(card))} of ${number(sum(rows.map((row) => row.read)))} rows refused.`),
    histogram(card.lengths),
  ];
}

const sum = (values) => values.filter(isNumber).reduce((total, value) => total + value, 0);
const removed = (card) => sum(Object.values(card.removed ?? {}));
const words = (reason) => text(reason).replaceAll("_", " ");

function refusals(row) {
  const found = Object.entries(row.refused ?? {}).map(([reason, count]) => `${number(count)} ${words(reason)}`);
  return `${number(row.read)} read; refused: ${found.join(", ") || "none"}`;
}

/** Two lengths on one line: what is trained on, and what is held out. */
function bar([train, val], most) {
  const width = (value) => (100 * (isNumber(value) ? value : 0)) / most;
  return s("svg", { class: "data-bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "train", x: 0, y: 0, width: width(train), height: 8 }),
    s("rect", { class: "val", x: width(train), y: 0, width: width(val), height: 8 }));
}

function histogram(lengths) {
  const counts = list(lengths?.histogram?.counts).filter(isNumber);
  const spread = lengths?.program_characters ?? {};
  const most = Math.max(1, ...counts);
  const tokens = lengths?.tokens?.row;
  const inTokens = tokens ? `; a row has ${number(tokens.median)} tokens, at most ${number(tokens.max)}` : "";
  const caption = `Program length: median ${number(spread.median)}, longest ${number(spread.max)} characters${inTokens}`;
  return h("figure", { class: "lengths" },
    s("svg", { viewBox: `0 0 ${counts.length * 10} 32`, preserveAspectRatio: "none", role: "img", "aria-label": caption },
      counts.map((count, place) => s("rect", { x: place * 10 + 1, y: 32 - (32 * count) / most, width: 8, height: (32 * count) / most }))),
    h("figcaption", { class: "muted small" }, caption));
}

function coverage(card) {
  const found = card.coverage ?? {};
  const untaught = list(found.missing_but_examined);
  return [
    h("p", { class: "big" }, `${number(found.used)} of ${number(found.catalog)}`),
    h("p", { class: "muted small" }, "types of the catalog have rows to learn from"),
    untaught.length ? named("warning", "Examined but never taught", untaught) : null,
    named("idle", "Without a row", list(found.missing)),
    named("idle", `In fewer than ${number(found.rare_below)} rows`, Object.entries(found.rare ?? {}).map(([name, count]) => `${name} ${number(count)}`)),
  ];
}

function named(status, title, names) {
  if (!names.length) return null;
  const more = names.length - SHOWN;
  const shown = names.slice(0, SHOWN).map((name) => text(name)).join(", ");
  return h("p", { class: `small names ${status}` }, h("span", { class: "mark", "aria-hidden": "true" }, mark(status)), h("span", {}, h("strong", {}, `${title}: `), more > 0 ? `${shown} and ${more} more` : shown));
}

function duplicates(card) {
  const rows = Object.entries(card.duplicates ?? {});
  const cap = card.cap ?? {};
  const copies = card.reinforcement?.rows;
  return [
    h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "kind"), h("th", { scope: "col", class: "number" }, "found"), h("th", { scope: "col", class: "number" }, "dropped"))),
      h("tbody", {}, rows.map(([kind, row]) => h("tr", {}, h("td", {}, text(kind)), h("td", { class: "number" }, number(row?.found)), h("td", { class: "number" }, number(row?.dropped)))))),
    h("p", { class: "muted small" }, `At most ${number(cap.rows_per_structure)} generated rows of one structure; ${plural(cap.structures_over ?? 0, "structure")} had more.`),
    copies ? h("p", { class: "muted small" }, `${plural(copies, "row")} repeated on purpose.`) : null,
  ];
}

function leaks(card) {
  const found = card.leaks ?? {};
  const clean = found.flagged === 0;
  const status = clean ? "done" : "failed";
  return [
    h("p", { class: `big ${status}` }, h("span", { class: "mark", "aria-hidden": "true" }, `${mark(status)} `), clean ? "none" : number(found.flagged)),
    h("p", { class: "muted small" }, `in ${plural(found.checked ?? 0, "row")}, read again against every held-out prompt; ${plural(found.shared_structures_train_val ?? 0, "structure")} in both splits`),
    h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "held out"), h("th", { scope: "col", class: "number" }, "prompts"), h("th", { scope: "col", class: "number" }, "rows kept out"))),
      h("tbody", {}, objects(found.sets).map((row) => h("tr", {}, h("td", {}, text(row.id).replaceAll("_", " ")), h("td", { class: "number" }, number(row.prompts)), h("td", { class: "number" }, number(row.rows_kept_out)))))),
  ];
}
