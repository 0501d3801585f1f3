/** The text of a file with a planted bug in it. */

import type { Mutation } from "./mutations.ts";

/** @throws Error when it does not apply exactly once */
export function mutated({ name, file, before, after }: Mutation, text: string): string {
  const [head = "", tail, ...more] = text.split(before);
  if (tail === undefined || more.length > 0) {
    const count = tail === undefined ? "never" : `${more.length + 1} times`;
    throw new Error(`"${name}" is to change ${file}, where it stands ${count}: ${before}`);
  }
  return head + after + tail;
}
