// Numbers and times for people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** Return a count, such as 1,234. */
export function count(value) {
  return value === null || value === undefined ? "–" : whole.format(value);
}

/** Return a number that may be large or a fraction, short. */
export function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Math.abs(value) >= 10_000) return compact.format(value);
  return Math.abs(value) < 100 ? tenth.format(value) : whole.format(value);
}

/** Return seconds as a length of time, such as 45 ms or 3.2 s. */
export function seconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value < 1) return `${tenth.format(value * 1000)} ms`;
  return value < 120 ? `${tenth.format(value)} s` : span(value);
}

/** Return a longer time in its two largest units, such as 3 h 20 min. */
export function span(value) {
  const units = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => value >= size);
  if (first < 0) return "0 s";
  const [unit, size] = units[first];
  const next = units[first + 1];
  const rest = next === undefined ? 0 : Math.floor((value % size) / next[1]);
  return `${Math.floor(value / size)} ${unit}` + (rest ? ` ${rest} ${next[0]}` : "");
}

/** Return bytes, such as 1.5 MB. */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (value >= size) return `${tenth.format(value / size)} ${unit}`;
  }
  return `${whole.format(value)} B`;
}

/** Return a time in Unix milliseconds in UTC. */
export function moment(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "–";
  const time = new Date(milliseconds);
  return Number.isNaN(time.valueOf()) ? `${milliseconds} ms` : `${time.toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** Return a word of the program for people: server_error is server error. */
export function words(name) {
  return name.replaceAll("_", " ");
}
