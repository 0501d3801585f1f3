/** Policies in small for tests of the rollout: what a server takes at a port, what a client sends to a socket. */

import type { OutboundCluster, ProxyPolicy, Sending } from "../../src/core/policy/proxy-policy.ts";
import { Rollout } from "../../src/core/policy/rollout.ts";
import type { Applied, ProxyReport } from "../../src/core/policy/rollout-proxy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";

export const serverAddress = "10.0.0.1";
const serverPort = 8080;

export function serverPolicy(mode: ServerMode, port: number = serverPort): ProxyPolicy {
  const app = { kind: "ip", host: "127.0.0.1", port: 80 } as const;
  return {
    inbound: [{ port, bind: serverAddress, protocol: "tcp", isHttp2: false, app, mode }],
    outbound: [],
    clusters: [],
    modes: { other: "permissive", ports: new Map(mode === "permissive" ? [] : [[port, mode]]) },
  };
}

/** Of one that only asks `ext_authz`. */
export function askingPolicy(mode: ServerMode): ProxyPolicy {
  return { ...calling([]), modes: { other: mode, ports: new Map() } };
}

export function clientPolicy(sends: Sending, san?: string): ProxyPolicy {
  return calling([cluster("web", sends, san)]);
}

export function calling(clusters: readonly OutboundCluster[]): ProxyPolicy {
  return {
    inbound: [],
    outbound: [],
    clusters,
    modes: { other: "permissive", ports: new Map() },
  };
}

export function cluster(
  host: string,
  sends: Sending,
  san: string = "spiffe://test/ns/a/sa/b",
  address: string = serverAddress,
): OutboundCluster {
  return {
    name: `outbound|80||${host}`,
    addresses: "eds",
    isHttp2: false,
    protocol: "tcp",
    mtls: sends === "mtls" ? { sni: host, sans: [san] } : undefined,
    origination: sends === "tls" ? origination : undefined,
    endpoints: [{ address, port: serverPort, weight: 1, sends }],
  };
}

const origination: NonNullable<OutboundCluster["origination"]> = {
  mode: "SIMPLE",
  sni: "web",
  subjectAltNames: [],
  caCertificates: undefined,
  clientCertificate: undefined,
  privateKey: undefined,
  insecureSkipVerify: false,
};

export function modeAt(policy: ProxyPolicy | undefined): ServerMode | undefined {
  return policy?.inbound[0]?.mode;
}

export function sentBy(policy: ProxyPolicy | undefined): Sending | undefined {
  return policy?.clusters[0]?.endpoints[0]?.sends;
}

export function applied(policy: Applied, more: Partial<ProxyReport> = {}): ProxyReport {
  const none = { isAnswered: true, hasListeners: true, pending: [], refused: undefined };
  return { ...none, applied: policy, ...more };
}

/** Server `s` at its address, clients by any name; each has been told what it has, and nothing waits. */
export class SmallMesh {
  readonly rollout: Rollout = new Rollout();
  readonly sent: Map<string, ProxyPolicy> = new Map();

  /** It has said what it has, and is to go on with it. */
  has(key: string, policy: ProxyPolicy, more: Partial<ProxyReport> = {}): this {
    this.wants(key, policy);
    this.rollout.reported(key, applied(policy, more));
    return this;
  }

  wants(key: string, desired: ProxyPolicy): this {
    const address = key.startsWith("s") ? serverAddress : undefined;
    this.rollout.target(key, { desired, address });
    return this;
  }

  /** Sends what is due, and says to whom. */
  push(): string[] {
    const pushes = this.rollout.takePushes(Infinity);
    for (const { key, policy } of pushes) this.sent.set(key, policy);
    return pushes.map(({ key }) => key).toSorted();
  }

  /** It acknowledges what it was sent last. */
  acks(key: string): this {
    const policy = this.sent.get(key);
    if (policy === undefined) throw new Error(`${key} was sent nothing`);
    this.rollout.reported(key, applied(policy));
    return this;
  }
}
