/** What agents say of their proxies' policies, on streams that nothing is sent on. */

import type { PolicyReport, ReportedPolicy } from "../../src/core/policy/policy-report.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import type { Session } from "../../src/app/server/mesh/mesh-session.ts";

/** @param spokenFor of a node agent */
export function sessionOf(
  id: string,
  spokenFor?: { readonly has: (id: string) => boolean },
): Session {
  const peer = { id: SpiffeId.parse(id) };
  return { call: { write: () => true }, peer, spokenFor, wantsPolicy: true } as unknown as Session;
}

export function said(proxyId: string, more: Partial<ReportedPolicy> = {}): ReportedPolicy {
  const none = { spiffeId: undefined, labels: new Map(), applied: undefined, nack: undefined };
  const rest = { isUnsure: false, draining: new Map(), oldConnections: "unobserved" as const };
  return { proxyId, ...none, ...rest, hasListeners: true, assignmentsAnswered: 0, ...more };
}

/** All that there is. */
export function whole(...proxies: readonly ReportedPolicy[]): PolicyReport {
  return { full: true, complete: true, proxies, gone: [] };
}

export function news(...proxies: readonly ReportedPolicy[]): PolicyReport {
  return { full: false, complete: false, proxies, gone: [] };
}
