/** "Did you mean": the one known word that a mistyped word most likely stands for, or none. */

/**
 * The candidate with the fewest edits, if they are few for the word's length. The first of equals
 * wins.
 */
export function nearestMatch(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > WORD_LENGTH_MAX) return undefined;
  let best: string | undefined;
  // One edit, and one more for every three letters; more would be guessing.
  let bestDistance = Math.floor(word.length / 3) + 2;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `, did you mean "X"`, ready to follow a message, or the empty string. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const match = nearestMatch(word, candidates);
  return match === undefined ? "" : `, did you mean "${match}"`;
}

// The words come from the command line or a file: the square of their length must stay small.
const WORD_LENGTH_MAX = 64;

/**
 * Damerau's distance with adjacent transpositions ("optimal string alignment"): "lsiten" is one
 * edit away.
 */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length] ?? 0;
}
