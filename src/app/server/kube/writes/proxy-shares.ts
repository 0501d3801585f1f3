/** For how many proxies each PeerAuthentication decides something, and how many of these have confirmed just that. */

import type { GonePod } from "../../../../core/kube/who/gone-pod.ts";
import type { ProxyIdentity } from "../../../../core/policy/proxy-identity.ts";
import type { Applied } from "../../../../core/policy/rollout-proxy.ts";
import type { ServerMode } from "../../../../core/policy/server-mode.ts";
import type { ProxyShare } from "../../../../core/kube/writes/conditions.ts";
import { nameKey } from "../../../../core/resources/resource.ts";
import type { PolicyControl } from "../../policy/policy-control.ts";

interface SharedControl {
  readonly proxies: {
    all(): Iterable<{
      readonly identity: Pick<ProxyIdentity, "key">;
      readonly applied: Applied;
      readonly session: unknown;
    }>;
  };
  readonly expected: ReadonlyMap<string, unknown>;
  readonly index: Pick<PolicyControl["index"], "desired" | "portDecision">;
  readonly gonePods: PolicyControl["gonePods"];
}

/**
 * @param provenMs as gates have it: what has expired by this has expired
 * @returns by the name of the PeerAuthentication. Who was not heard of since the start has confirmed nothing, and does not count any more
 * when its pod is gone and its certificates have ended.
 */
export function proxyShares(
  control: SharedControl,
  provenMs: number,
): ReadonlyMap<string, ProxyShare> {
  const { gonePods } = control;
  const shares = new Map<string, ProxyShare>();
  const told = new Set<string>();
  for (const { identity, applied, session } of control.proxies.all()) {
    const { key } = identity;
    told.add(key);
    if (session === undefined && gonePods.hasEnded(key, provenMs)) continue;
    const gone = session === undefined ? gonePods.of(key) : undefined;
    add(shares, decidedFor(control, key, applied), gone);
  }
  for (const key of control.expected.keys()) {
    if (told.has(key) || gonePods.hasEnded(key, provenMs)) continue;
    add(shares, decidedFor(control, key, undefined), gonePods.of(key));
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

function add(
  shares: Map<string, ProxyShare>,
  decided: ReadonlyMap<string, boolean>,
  pod: GonePod | undefined,
): void {
  for (const [name, isConfirmed] of decided) {
    const share = shares.get(name) ?? { confirmed: 0, total: 0 };
    const { confirmed, total, gone = 0, goneUntilMs = 0 } = share;
    shares.set(name, {
      ...share,
      confirmed: confirmed + Number(isConfirmed),
      total: total + 1,
      ...(pod !== undefined &&
        !isConfirmed && {
          gone: gone + 1,
          goneUntilMs: Math.max(goneUntilMs, pod.absentUntilMs),
        }),
    });
  }
}
