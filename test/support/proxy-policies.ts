/** Policies of proxies, whatever they may be, as `core/policy` makes them. */

import * as fc from "fast-check";
import type {
  InboundPort,
  OutboundCluster,
  OutboundEndpoint,
  OutboundPort,
  ProxyPolicy,
} from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import type { ClientTls } from "../../src/core/resources/client-tls.ts";

const port = fc.integer({ min: 1, max: 65_535 });
const mode = fc.constantFrom<ServerMode>("disable", "permissive", "strict");
const ip = fc.constantFrom("127.0.0.1", "0.0.0.0", "10.1.2.3", "::1", "fd00::7");
const text = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" });
const texts = fc.array(text, { maxLength: 3 });

const inbound: fc.Arbitrary<InboundPort> = fc.record({
  port,
  bind: ip,
  protocol: fc.constantFrom("tcp", "http", "auto"),
  isHttp2: fc.boolean(),
  app: fc.oneof(
    fc.record({ kind: fc.constant("ip" as const), host: ip, port }),
    fc.record({ kind: fc.constant("unix" as const), path: text.map((each) => `/${each}`) }),
  ),
  mode,
});

const origination: fc.Arbitrary<ClientTls> = fc.record({
  mode: fc.constantFrom("SIMPLE", "MUTUAL"),
  sni: fc.option(text, { nil: undefined }),
  subjectAltNames: texts,
  caCertificates: fc.option(text, { nil: undefined }),
  clientCertificate: fc.option(text, { nil: undefined }),
  privateKey: fc.option(text, { nil: undefined }),
  insecureSkipVerify: fc.boolean(),
});

const endpoint: fc.Arbitrary<OutboundEndpoint> = fc.record({
  address: fc.oneof(ip, text, fc.constant("unix:///run/app.sock")),
  port,
  weight: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  sends: fc.constantFrom("plaintext", "mtls", "tls"),
});

const cluster: fc.Arbitrary<OutboundCluster> = fc
  .record({
    name: text,
    addresses: fc.constantFrom("eds" as const, "dns" as const),
    isHttp2: fc.boolean(),
    protocol: fc.constantFrom("tcp" as const, "http" as const),
    mtls: fc.record({ sni: text, sans: texts }),
    origination,
    endpoints: fc.array(endpoint, { maxLength: 3 }),
  })
  .map(({ mtls, origination, ...rest }) => {
    const has = (sends: string) => rest.endpoints.some((each) => each.sends === sends);
    return {
      ...rest,
      mtls: has("mtls") ? mtls : undefined,
      origination: has("tls") ? origination : undefined,
    };
  });

function outboundTo(names: readonly string[]): fc.Arbitrary<OutboundPort[]> {
  if (names.length === 0) return fc.constant([]);
  const name = fc.constantFrom(...names);
  const domains = fc.array(text, { minLength: 1, maxLength: 3 });
  const http = fc.array(fc.record({ domains, cluster: name }), { maxLength: 3 });
  const tcp = name.map((cluster) => [{ domains: [], cluster }]);
  const one = fc.oneof(
    fc.record({ bind: ip, port, protocol: fc.constant("http" as const), routes: http }),
    fc.record({ bind: ip, port, protocol: fc.constant("tcp" as const), routes: tcp }),
  );
  return fc.uniqueArray(one, { selector: ({ bind, port }) => `${bind} ${port}`, maxLength: 3 });
}

export const anyPolicy: fc.Arbitrary<ProxyPolicy> = fc
  .uniqueArray(cluster, { selector: ({ name }) => name, maxLength: 3 })
  .chain((clusters) =>
    fc.record({
      inbound: fc.uniqueArray(inbound, { selector: ({ port }) => port, maxLength: 3 }),
      outbound: outboundTo(clusters.map(({ name }) => name)),
      clusters: fc.constant(clusters),
      modes: fc.record({
        other: mode,
        ports: fc
          .dictionary(port.map(String), mode, { maxKeys: 3 })
          .map((ports) => new Map(Object.entries(ports).map(([at, each]) => [Number(at), each]))),
      }),
    }),
  );

/** One that differs by its mode. */
export function policyOf(taken: ServerMode, port = 8_080): ProxyPolicy {
  return {
    inbound: [
      {
        port,
        bind: "127.0.0.1",
        protocol: "http",
        isHttp2: false,
        app: { kind: "ip", host: "127.0.0.1", port: port + 1 },
        mode: taken,
      },
    ],
    outbound: [],
    clusters: [],
    modes: { other: taken, ports: new Map() },
  };
}
