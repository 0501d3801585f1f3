/** The configuration of a simulated mesh, and what each proxy is to do by it. The decisions are core/policy's in small. */

import type { OutboundCluster, ProxyPolicy, Sending } from "../../src/core/policy/proxy-policy.ts";
import { sameValue } from "../../src/core/policy/same-value.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import type { Random } from "../run/random.ts";

export const modes: readonly ServerMode[] = ["disable", "permissive", "strict"];
export const rules = ["auto", "auto", "auto", "plaintext", "mtls", "tls"] as const;
export const ports: readonly number[] = [80, 81];
/** Of nobody in the mesh. */
const foreign = "203.0.113.9";

interface CalledSocket {
  /** Of the mesh where it is one's home, and then wherever that is. */
  readonly home: string;
  readonly port: number;
  rule: (typeof rules)[number];
  isThere: boolean;
}

interface CalledHost {
  readonly name: string;
  readonly sockets: readonly CalledSocket[];
  isThere: boolean;
  san: number;
}

export interface ProxyConfig {
  readonly key: string;
  /** Its machine has both. */
  readonly addresses: readonly string[];
  /** The one where it is to be called. */
  address: string;
  readonly hasListeners: boolean;
  readonly modes: Map<number, ServerMode>;
  /** Ports of `modes` where it is to listen. */
  readonly listens: Set<number>;
  readonly calls: readonly CalledHost[];
}

export class MeshConfig {
  readonly proxies: readonly ProxyConfig[];
  readonly #desired = new Map<string, ProxyPolicy>();

  constructor(random: Random) {
    const addresses = Array.from({ length: 2 + random.below(3) }, (_, at) => `10.0.0.${at + 1}`);
    const called = random.below(3) === 0 ? [...addresses, foreign] : addresses;
    this.proxies = addresses.map((address, at) => ({
      key: `proxy-${at + 1}`,
      addresses: [address, `10.0.1.${at + 1}`],
      address,
      hasListeners: random.below(8) > 0,
      modes: new Map(ports.map((port) => [port, modes[random.below(3)] ?? "strict"])),
      listens: new Set(ports.slice(0, 1 + random.below(2))),
      calls: Array.from({ length: random.below(3) }, (_, at) => host(at, called, random)),
    }));
  }

  /** The same object as long as it says the same. */
  desired({ key, ...proxy }: ProxyConfig): ProxyPolicy {
    const before = this.#desired.get(key);
    const policy = policyOf(this, proxy);
    const same = before !== undefined && sameValue(before, policy) ? before : policy;
    this.#desired.set(key, same);
    return same;
  }

  /** @param address one of its machine's */
  at(address: string): ProxyConfig | undefined {
    return this.proxies.find(({ addresses }) => addresses.includes(address));
  }
}

function host(at: number, addresses: readonly string[], random: Random): CalledHost {
  const sockets = addresses
    .filter(() => random.below(3) > 0)
    .map((home) => ({
      home,
      port: ports[random.below(4) === 0 ? 1 : 0] ?? 80,
      rule: "auto" as const,
      isThere: true,
    }));
  return { name: `outbound|80||host-${at}`, sockets, isThere: true, san: 0 };
}

function policyOf(config: MeshConfig, proxy: Omit<ProxyConfig, "key">): ProxyPolicy {
  const all = [...proxy.modes].filter(([, mode]) => mode !== "permissive");
  const inbound = [...proxy.listens].map((port) => ({
    port,
    bind: proxy.address,
    protocol: "tcp" as const,
    isHttp2: false,
    app: { kind: "ip", host: "127.0.0.1", port: port + 8_000 } as const,
    mode: proxy.modes.get(port) ?? "permissive",
  }));
  return {
    inbound: proxy.hasListeners ? inbound.toSorted((a, b) => a.port - b.port) : [],
    outbound: [],
    clusters: proxy.hasListeners ? clustersOf(config, proxy.calls) : [],
    modes: { other: "permissive", ports: new Map(all.toSorted(([a], [b]) => a - b)) },
  };
}

function clustersOf(config: MeshConfig, calls: readonly CalledHost[]): OutboundCluster[] {
  return calls
    .filter(({ isThere }) => isThere)
    .map(({ name, sockets, san }) => {
      const endpoints = sockets
        .filter(({ isThere }) => isThere)
        .map((each) => ({
          address: config.at(each.home)?.address ?? each.home,
          port: each.port,
          weight: 1,
          sends: sends(config, each),
        }));
      const sent = new Set(endpoints.map((each) => each.sends));
      return {
        name,
        addresses: "eds",
        isHttp2: false,
        protocol: "tcp",
        mtls: sent.has("mtls")
          ? { sni: name, sans: [`spiffe://sim/ns/default/sa/${san}`] }
          : undefined,
        origination: sent.has("tls") ? originated : undefined,
        endpoints,
      };
    });
}

const originated: NonNullable<OutboundCluster["origination"]> = {
  mode: "SIMPLE",
  sni: "web",
  subjectAltNames: [],
  caCertificates: undefined,
  clientCertificate: undefined,
  privateKey: undefined,
  insecureSkipVerify: false,
};

function sends(config: MeshConfig, { home, port, rule }: CalledSocket): Sending {
  if (rule !== "auto") return rule;
  const server = config.at(home);
  return server === undefined || server.modes.get(port) === "disable" ? "plaintext" : "mtls";
}
