// Formats numbers for people.

const grouped = new Intl.NumberFormat('en');

/** @param {number} n */
export function count(n) {
  return grouped.format(n);
}

/** Formats a size: `412 B`, `3.1 kB`, `2.4 MB`. @param {number} n */
export function bytes(n) {
  if (n < 1000) return `${Math.round(n)} B`;
  if (n < 999_950) return `${(n / 1000).toFixed(1)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}

/** Formats a duration: `0.8 ms`, `12 ms`, `1.4 s`. @param {number} ms */
export function duration(ms) {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/** @param {number[]} values not empty */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
