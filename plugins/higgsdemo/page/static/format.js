// Numbers and times as text.

const WHOLE = new Intl.NumberFormat("en");

const WEIGHTED = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });

export const count = (value) => (Number.isInteger(value) ? WHOLE : WEIGHTED).format(value);

/** Seconds as 42 s, 3:05 min or 1:02:03 h. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)} h` : `${minutes}:${two(whole % 60)} min`;
}

export const rate = (perSecond) => (perSecond ? `${perSecond.toPrecision(perSecond < 10 ? 2 : 3)}/s` : "–");

export const eta = (seconds) => (seconds === null ? "–" : duration(seconds));

/** A weighted number of events. */
export const events = (value) => (value >= 100 ? value.toFixed(1) : value.toFixed(2));

/** A time (seconds since 1970) as the reader's clock shows it. */
export const moment = (seconds) =>
  new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

/** How long ago a time was, in the greatest unit that it fills. */
export function age(seconds) {
  const passed = Math.max(0, Date.now() / 1000 - seconds);
  const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"]].find(([size]) => passed >= size) ?? [1, "second"];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.floor(passed / size), unit);
}

/** The name of a task or a state, for people. */
export const words = (name) => (name ?? "waiting").replaceAll("_", " ");
