/** Whether anything can be heard of a proxy now: evidence that is new, of one whose agent has just died, says nothing of the next moment. */

import type { Absence } from "../../../core/evidence/member.ts";
import type { PolicyControl } from "../policy/policy-control.ts";

/** By the proxy's key, as policy knows it; undefined: a stream tells of it. */
export type AbsenceOf = (proxy: string) => Absence | undefined;

export function absenceBy({ proxies }: Pick<PolicyControl, "proxies">): AbsenceOf {
  return (key) => {
    const proxy = proxies.get(key);
    // Since the server's start: it is waited for, or is known from before by the evidence alone.
    if (proxy === undefined) return "unheard";
    return proxy.session === undefined ? "away" : undefined;
  };
}
