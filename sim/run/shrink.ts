/** Fewer choices with the same fault: delta debugging (Zeller, ddmin), over the choices of a schedule. */

/** @param fails whether the fault is still there */
export function shrink<Choice>(
  choices: readonly Choice[],
  fails: (choices: readonly Choice[]) => boolean,
): readonly Choice[] {
  let best = choices;
  for (let size = Math.ceil(best.length / 2); size >= 1;) {
    const smaller = withoutSome(best, size, fails);
    if (smaller !== undefined) best = smaller;
    else if (size === 1) return best;
    size = Math.max(1, Math.min(Math.ceil(size / 2), Math.ceil(best.length / 2)));
  }
  return best;
}

function withoutSome<Choice>(
  choices: readonly Choice[],
  size: number,
  fails: (choices: readonly Choice[]) => boolean,
): readonly Choice[] | undefined {
  let kept = choices;
  for (let end = choices.length; end > 0; end -= size) {
    const candidate = kept.toSpliced(Math.max(0, end - size), Math.min(size, end));
    if (fails(candidate)) kept = candidate;
  }
  return kept.length < choices.length ? kept : undefined;
}
