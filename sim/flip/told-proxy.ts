/** A proxy as policy tells of it to whoever keeps a record of which there were. */

import { noClaims } from "../../src/app/server/policy/policy-claims.ts";
import type { PolicyProxy } from "../../src/app/server/policy/policy-proxy.ts";
import type { ToldProxy } from "./server-policy.ts";

export function policyProxy({ identity, reporter }: ToldProxy): PolicyProxy {
  const said = {
    proxyId: identity.nodeId,
    spiffeId: undefined,
    labels: identity.claimedLabels,
    hasListeners: true,
    applied: undefined,
    isUnsure: false,
    assignmentsAnswered: 0,
    nack: undefined,
    draining: new Map<number, number>(),
    oldConnections: "unobserved",
  } as const;
  const { spiffeId } = reporter;
  const ends = { session: undefined, tooLarge: undefined, goneSinceMs: undefined };
  return { ...noClaims, identity, spiffeId, reporter, said, saidRefusals: [], ...ends };
}
