// How long the running stage may be silent, in words. Pure.

import { ago, duration, isNumber, secondsBetween, text } from "./format.js";

const PHASES = {
  start: "at work", load: "loading", first_step: "first steps", step: "steps", eval: "evaluating", save: "saving",
  generate: "answering", teardown: "ending", output: "no progress counter, watched by its output",
};

/** {words, slow} about the guard's watch over the running stage; null before it has told anything. */
export function watchWords(state, now) {
  const watch = state?.current?.watch;
  const silent = secondsBetween(watch?.quiet_since, now);
  if (!watch || silent === null) return null;
  const phase = PHASES[watch.phase] ?? text(watch.phase);
  const origin = text(watch.origin);
  const limit = isNumber(watch.limit_s) ? duration(watch.limit_s) : null;
  if (watch.slow) {
    const then = limit ? `ended and started again after ${limit}` : "left alone: stall_detection.kill is false";
    return { words: sentence([`slow, ${phase}`, `no progress for ${duration(silent)}`, then, limit && `limit ${origin}`]), slow: true };
  }
  const news = watch.phase === "output" ? `last output ${ago(watch.quiet_since, now)}` : `last progress ${ago(watch.quiet_since, now)}`;
  return { words: sentence([phase, news, limit ? `limit ${limit}, ${origin}` : "no limit"]), slow: false };
}

const sentence = (parts) => parts.filter(Boolean).join(" · ");
