// From points of the server's history to what charts draw: counts become rates, buckets become quantiles.

const WINDOW = 3;

/** Return, for each point but the first, its time and what `make` says of it and an earlier one. */
export function between(points, make) {
  return points.slice(1).map((now, index) => {
    const before = points[Math.max(0, index + 1 - WINDOW)];
    const elapsed = now.time - before.time;
    return [now.time, ...make(now, before, elapsed > 0 ? elapsed : 1)];
  });
}

/** Return a rate a second; null after a restart, when a count has fallen. */
export function rate(now, before, elapsed) {
  return now < before ? null : (now - before) / elapsed;
}

/** Return the mean time of a request in seconds between two points, null without a request. */
export function meanRequest(now, before) {
  const requests = total(now.requests) - total(before.requests);
  const seconds = now.request_seconds - before.request_seconds;
  return requests > 0 && seconds >= 0 ? seconds / requests : null;
}

/** Return the value below which a share of what came between two points lies; buckets count up to their bounds. */
export function quantile(now, before, share) {
  if (!now) return null;
  const bounds = Object.keys(now).sort((one, other) => bound(one) - bound(other));
  const counts = bounds.map((name) => now[name] - (before?.[name] ?? 0));
  const all = counts.at(-1) ?? 0;
  if (!(all > 0)) return null;
  const index = counts.findIndex((count) => count >= all * share);
  const lower = index > 0 ? bound(bounds[index - 1]) : 0;
  const upper = bound(bounds[index]);
  if (upper === Infinity) return lower;
  const below = index > 0 ? counts[index - 1] : 0;
  return lower + ((upper - lower) * (all * share - below)) / (counts[index] - below);
}

/** Add up the values of an object. */
export function total(counts) {
  return Object.values(counts ?? {}).reduce((sum, value) => sum + value, 0);
}

function bound(name) {
  return Number(name); // the last one is called Infinity
}
