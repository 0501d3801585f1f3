/** For how many proxies each PeerAuthentication decides something, and how many of these have confirmed just that. */

import type { ProxyIdentity } from "../../../../core/policy/proxy-identity.ts";
import type { Applied } from "../../../../core/policy/rollout-proxy.ts";
import type { ServerMode } from "../../../../core/policy/server-mode.ts";
import { nameKey } from "../../../../core/resources/resource.ts";
import type { PolicyControl } from "../../policy/policy-control.ts";

export interface ProxyShare {
  readonly confirmed: number;
  readonly total: number;
}

interface SharedControl {
  readonly proxies: {
    all(): Iterable<{
      readonly identity: Pick<ProxyIdentity, "key">;
      readonly applied: Applied;
    }>;
  };
  readonly expected: ReadonlyMap<string, unknown>;
  readonly index: Pick<PolicyControl["index"], "desired" | "portDecision">;
}

/** @returns by the name of the PeerAuthentication. Who was not heard of since the start has confirmed nothing */
export function proxyShares(control: SharedControl): ReadonlyMap<string, ProxyShare> {
  const shares = new Map<string, ProxyShare>();
  const told = new Set<string>();
  for (const { identity, applied } of control.proxies.all()) {
    told.add(identity.key);
    add(shares, decidedFor(control, identity.key, applied));
  }
  for (const key of control.expected.keys()) {
    if (!told.has(key)) add(shares, decidedFor(control, key, undefined));
  }
  return shares;
}

/** By PeerAuthentication, whether the proxy has each of the ports for which that decides as it says. */
function decidedFor(
  { index }: SharedControl,
  key: string,
  applied: Applied,
): ReadonlyMap<string, boolean> {
  const has = new Map<number, ServerMode>(
    typeof applied === "object" ? applied.inbound.map(({ port, mode }) => [port, mode]) : [],
  );
  const decided = new Map<string, boolean>();
  for (const { port, mode } of index.desired(key)?.inbound ?? []) {
    const ref = index.portDecision(key, port)?.because.ref;
    if (ref === undefined) continue;
    const name = nameKey(ref);
    decided.set(name, (decided.get(name) ?? true) && has.get(port) === mode);
  }
  return decided;
}

function add(shares: Map<string, ProxyShare>, decided: ReadonlyMap<string, boolean>): void {
  for (const [name, isConfirmed] of decided) {
    const { confirmed, total } = shares.get(name) ?? { confirmed: 0, total: 0 };
    shares.set(name, { confirmed: confirmed + Number(isConfirmed), total: total + 1 });
  }
}
