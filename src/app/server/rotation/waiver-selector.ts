/** What `--waive SELECTOR` stands for, by name. */

import type { Laggard } from "../../../core/roll/laggard.ts";
import { laggardNameLengthMax } from "../../../core/roll/laggard-name.ts";
import { WaiverRefusedError } from "./waivers.ts";

/**
 * Those that a selector stands for: a laggard's name, SPIFFE ID, or the ID of its proxy or agent, with `*` for any
 * characters. A class is named whole, and what the server itself does not know is nobody's to waive.
 * @throws WaiverRefusedError `waiver-selector` for one that would stand for everybody
 */
export function selectLaggards(laggards: readonly Laggard[], selector: string): readonly Laggard[] {
  if (!/[^*/@]/.test(selector) || selector.length > laggardNameLengthMax) {
    const message = "expected the name of a laggard, a SPIFFE ID, or a part of one with *";
    throw new WaiverRefusedError("waiver-selector", message, {
      hint: "there is no waiver for everybody",
    });
  }
  return laggards.filter(({ kind, name, spiffeId }) => {
    if (kind === "server") return false;
    if (kind === "class") return name === selector;
    const id = name.slice(name.indexOf("/") + 1).split("@", 1)[0] ?? "";
    return [name, spiffeId, id].some((text) => text !== "" && matches(selector, text));
  });
}

/** Without a regular expression: an operator's pattern must not cost more than its length times the text's. */
function matches(pattern: string, text: string): boolean {
  let [at, from] = [0, 0];
  let [star, mark] = [-1, 0];
  while (at < text.length) {
    if (pattern[from] === "*") [star, mark, from] = [from, at, from + 1];
    else if (pattern[from] === text[at]) [at, from] = [at + 1, from + 1];
    else if (star >= 0) [mark, at, from] = [mark + 1, mark + 1, star + 1];
    else return false;
  }
  while (pattern[from] === "*") from += 1;
  return from === pattern.length;
}
