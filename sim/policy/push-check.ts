/** What must hold of each policy that the server sends, whatever comes of it. */

import { modeOf } from "../../src/core/policy/port-modes.ts";
import type { OutboundCluster, ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import type { ProxyReport } from "../../src/core/policy/rollout-proxy.ts";
import { sameValue } from "../../src/core/policy/same-value.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { Violation } from "../world/violation.ts";
import { ports, type ProxyConfig } from "./config.ts";
import { sendsByPair } from "./sendings.ts";

interface Pushed {
  readonly proxy: ProxyConfig;
  readonly policy: ProxyPolicy;
  readonly desired: ProxyPolicy;
  /** All of which parts may be in force. */
  readonly possible: readonly ProxyPolicy[];
  /** The last one that the server has read. */
  readonly report: ProxyReport;
}

export function assertPush(pushed: Pushed): void {
  const { proxy, policy, report } = pushed;
  if (sameValue(report.refused, policy))
    throw new Violation(`${proxy.key} is told what it refused`);
  for (const each of policy.clusters) assertNamed(each);
  for (const port of ports) assertMode(pushed, port);
  assertNoStepBack(pushed);
}

/** A client that is to send mTLS, or TLS of its own, is told to whom. */
function assertNamed({ name, endpoints, mtls, origination }: OutboundCluster): void {
  const sent = new Set(endpoints.map(({ sends }) => sends));
  const isNamed = sent.has("mtls") === (mtls !== undefined);
  const isOriginated = sent.has("tls") === (origination !== undefined);
  if (!isNamed || !isOriginated) throw new Violation(`${name} lacks names, or has too many`);
}

/** A port is what it is to be, or permissive on the way; and stays what it is to be where it is that in any case. */
function assertMode({ proxy, policy, desired, possible, report }: Pushed, port: number): void {
  const { key } = proxy;
  const mode = modeIn(proxy, policy, port);
  const wanted = modeIn(proxy, desired, port);
  if (mode !== undefined && mode !== modeOf(policy.modes, port)) {
    throw new Violation(`${key} has two modes at ${port}`);
  }
  if (mode === wanted) return;
  if (mode !== "permissive") {
    throw new Violation(`${key} is to take ${wanted} at ${port} and is told ${mode}`);
  }
  if (typeof report.applied !== "object") return;
  const had = [...possible, report.applied, ...report.pending];
  if (had.every((each) => isAtAddress(proxy, each, port) && modeIn(proxy, each, port) === wanted)) {
    throw new Violation(`${key} is ${wanted} at ${port} and is told ${mode}`);
  }
}

/** A socket that is new to it is opened as a new port is. */
function isAtAddress({ address, hasListeners }: ProxyConfig, policy: ProxyPolicy, port: number) {
  const listener = policy.inbound.find((each) => each.port === port);
  return !hasListeners || listener === undefined || listener.bind === address;
}

function modeIn(
  { hasListeners }: ProxyConfig,
  { inbound, modes }: ProxyPolicy,
  port: number,
): ServerMode | undefined {
  if (!hasListeners) return modeOf(modes, port);
  return inbound.find((each) => each.port === port)?.mode;
}

/** An endpoint gets what it is to get, or keeps what it has. */
function assertNoStepBack({ proxy: { key }, policy, desired, possible }: Pushed): void {
  const wanted = sendsByPair(key, desired);
  const before = possible.map((each) => sendsByPair(key, each));
  for (const [pair, sends] of sendsByPair(key, policy)) {
    const known = before.map((each) => each.get(pair)).filter((each) => each !== undefined);
    if (sends === wanted.get(pair) || known.includes(sends) || known.length === 0) continue;
    const had = known.join(" or ");
    throw new Violation(`${pair} is to get ${wanted.get(pair)}, gets ${sends}, had ${had}`);
  }
}
