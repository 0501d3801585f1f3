/** Roots that come to their end, in sentences: why `root status` exits as it does. */

import { severityOf } from "./root-judgement.ts";
import type { RootStatusValue } from "./root-value.ts";

export function lifeWarnings({ authorities }: RootStatusValue): readonly string[] {
  return authorities
    .filter((each) => !each.compromised && severityOf(each) !== "ok")
    .map(({ id, state, lifeLeftPercent }) => {
      return `the root of authority ${id}, ${state}, has ${lifeLeftPercent} % of its life left`;
    });
}
