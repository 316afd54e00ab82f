// Numbers, durations and times as words. Pure: the present moment is passed in as milliseconds.

const THIN = "\u202f";

export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
export const list = (value) => (Array.isArray(value) ? value.filter((item) => item !== null && item !== undefined) : []);
export const objects = (value) => list(value).filter((item) => typeof item === "object" && !Array.isArray(item));
export const text = (value, otherwise = "") => (typeof value === "string" ? value : isNumber(value) ? String(value) : otherwise);

/** Milliseconds since 1970, or null for anything that is not a time. */
export function moment(value) {
  const time = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(time) ? null : time;
}

/** 45 s · 3 min 12 s · 3 h 22 min · 2 d 4 h */
export function duration(seconds) {
  if (!isNumber(seconds)) return "";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}${THIN}s`;
  if (whole < 600) return joined(Math.floor(whole / 60), "min", whole % 60, "s");
  if (whole < 3600) return `${Math.round(whole / 60)}${THIN}min`;
  const minutes = Math.round(whole / 60);
  if (minutes < 1440) return joined(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(whole / 3600);
  return joined(Math.floor(hours / 24), "d", hours % 24, "h");
}

function joined(large, largeUnit, small, smallUnit) {
  const head = `${large}${THIN}${largeUnit}`;
  return small ? `${head} ${small}${THIN}${smallUnit}` : head;
}

/** "12 s ago", "just now", "in 4 min". */
export function ago(value, now) {
  const time = moment(value);
  if (time === null) return "";
  const seconds = (now - time) / 1000;
  if (seconds < -1) return `in ${duration(-seconds)}`;
  return seconds < 1 ? "just now" : `${duration(seconds)} ago`;
}

export function secondsBetween(start, end) {
  const from = moment(start);
  const to = typeof end === "number" ? end : moment(end);
  return from === null || to === null ? null : (to - from) / 1000;
}

/** 17:15, with the day when it is not today. */
export function clock(value, now) {
  const time = moment(value);
  if (time === null) return "";
  const date = new Date(time);
  const hours = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  if (Math.abs(now - time) < 43200000 && date.getDate() === new Date(now).getDate()) return hours;
  return `${date.toLocaleDateString([], { month: "short", day: "numeric" })} ${hours}`;
}

/** The whole moment, for a title. */
export function exact(value) {
  const time = moment(value);
  return time === null ? "" : new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

/** "17:19–17:21", or one time when both fall into the same minute. */
export function clockRange(range, now) {
  const [first, last] = list(range).map((value) => clock(value, now));
  if (!first) return "";
  return !last || first === last ? first : `${first}–${last}`;
}

/** "~20–35 s": remaining seconds as a range. */
export function durationRange(range) {
  const [low, high] = list(range).filter(isNumber);
  if (low === undefined) return "";
  if (high === undefined || duration(low) === duration(high)) return `~${duration(low)}`;
  if (high < 100) return `~${Math.round(low)}–${Math.round(high)}${THIN}s`;
  const [unit, seconds] = high < 5400 ? ["min", 60] : ["h", 3600];
  const [from, to] = [low, high].map((value) => Number((value / seconds).toFixed(unit === "h" ? 1 : 0)));
  return from === to ? `~${to}${THIN}${unit}` : `~${from}–${to}${THIN}${unit}`;
}

/** 1,234 · 0.412 · 4.1e-4 */
export function number(value, digits = 3) {
  if (!isNumber(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(1);
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : digits);
}

export function percent(value, digits = 0) {
  return isNumber(value) ? `${(value * 100).toFixed(digits)}${THIN}%` : "–";
}

/** 512 MB · 5.2 GB, from megabytes. */
export function megabytes(value) {
  if (!isNumber(value)) return "–";
  return value < 1024 ? `${Math.round(value)}${THIN}MB` : `${(value / 1024).toFixed(value < 102400 ? 1 : 0)}${THIN}GB`;
}

/** 812 B · 12 kB · 3.4 MB */
export function bytes(value) {
  if (!isNumber(value) || value >= 10 * 1048576) return megabytes(isNumber(value) ? value / 1048576 : value);
  if (value < 1024) return `${value}${THIN}B`;
  return value < 1048576 ? `${Math.round(value / 1024)}${THIN}kB` : `${(value / 1048576).toFixed(1)}${THIN}MB`;
}

/** "+0.05" with a true minus. */
export function change(value, digits = 2) {
  if (!isNumber(value)) return "";
  const rounded = value.toFixed(digits);
  return Number(rounded) === 0 ? "±0" : value > 0 ? `+${rounded}` : `−${rounded.slice(1)}`;
}

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
