/** What policy hears of a proxy now: evidence that is new, of one whose agent has just died, says nothing of the next moment. */

import type { Absent } from "../../../core/evidence/member.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { PolicyProxy } from "../policy/policy-proxy.ts";

/** By the proxy's key, as policy knows it; undefined: a stream tells of it. */
export type AbsenceOf = (proxy: string) => Absent | undefined;

/** By the proxy's key: it says that it has listeners of ours. One that only asks by `ext_authz` listens where no policy of ours says. */
export type HasListeners = (proxy: string) => boolean;

export function absenceBy(control: Pick<PolicyControl, "proxies" | "gonePods">): AbsenceOf {
  return (key) => {
    const proxy = control.proxies.get(key);
    return proxy === undefined ? unheardOf(control, key) : absenceIn(control, proxy);
  };
}

/** Of one of which nothing was heard since the server's start: it is waited for, or is known from before by the evidence alone. */
export function unheardOf({ gonePods }: Pick<PolicyControl, "gonePods">, key: string): Absent {
  return gonePods.of(key) ?? { absence: "unheard" };
}

/** @returns undefined for one that is told of */
export function absenceIn(
  { gonePods }: Pick<PolicyControl, "gonePods">,
  { session, goneSinceMs, identity }: Pick<PolicyProxy, "session" | "goneSinceMs" | "identity">,
): Absent | undefined {
  if (session !== undefined) return undefined;
  if (goneSinceMs !== undefined) return { absence: "envoy-away" };
  return gonePods.of(identity.key) ?? { absence: "away" };
}

export function listenersBy({ proxies }: Pick<PolicyControl, "proxies">): HasListeners {
  return (key) => proxies.get(key)?.said.hasListeners === true;
}
