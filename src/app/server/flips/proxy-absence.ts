/** What policy hears of a proxy now: evidence that is new, of one whose agent has just died, says nothing of the next moment. */

import type { Absence } from "../../../core/evidence/member.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { PolicyProxy } from "../policy/policy-proxy.ts";

/** By the proxy's key, as policy knows it; undefined: a stream tells of it. */
export type AbsenceOf = (proxy: string) => Absence | undefined;

/** By the proxy's key: it says that it has listeners of ours. One that only asks by `ext_authz` listens where no policy of ours says. */
export type HasListeners = (proxy: string) => boolean;

export function absenceBy({ proxies }: Pick<PolicyControl, "proxies">): AbsenceOf {
  return (key) => {
    const proxy = proxies.get(key);
    // Since the server's start: it is waited for, or is known from before by the evidence alone.
    return proxy === undefined ? "unheard" : absenceIn(proxy);
  };
}

/** @returns undefined for one that is told of */
export function absenceIn({
  session,
  goneSinceMs,
}: Pick<PolicyProxy, "session" | "goneSinceMs">): Absence | undefined {
  if (session !== undefined) return undefined;
  return goneSinceMs === undefined ? "away" : "envoy-away";
}

export function listenersBy({ proxies }: Pick<PolicyControl, "proxies">): HasListeners {
  return (key) => proxies.get(key)?.said.hasListeners === true;
}
