/** Istio's objects as manifests have them, for what a definition of them takes, and what it refuses. */

export interface Kind {
  readonly kind: string;
  readonly group: string;
  readonly plural: string;
}

export const peerAuthentications: Kind = {
  kind: "PeerAuthentication",
  group: "security.istio.io",
  plural: "peerauthentications",
};
const networking = "networking.istio.io";
export const destinationRules: Kind = {
  kind: "DestinationRule",
  group: networking,
  plural: "destinationrules",
};
export const serviceEntries: Kind = {
  kind: "ServiceEntry",
  group: networking,
  plural: "serviceentries",
};
export const workloadEntries: Kind = {
  kind: "WorkloadEntry",
  group: networking,
  plural: "workloadentries",
};
export const sidecars: Kind = { kind: "Sidecar", group: networking, plural: "sidecars" };

/** Each with every field that we read, and some that only Istio knows. */
export const takenSpecs: readonly (readonly [string, Kind, unknown])[] = [
  ["PeerAuthentication", peerAuthentications, { mtls: { mode: "STRICT" } }],
  ["PeerAuthentication that says nothing", peerAuthentications, {}],
  [
    "PeerAuthentication of ports",
    peerAuthentications,
    { selector: { matchLabels: { app: "a" } }, portLevelMtls: { 80: { mode: "DISABLE" } } },
  ],
  [
    "DestinationRule",
    destinationRules,
    {
      host: "a",
      trafficPolicy: {
        tls: { mode: "ISTIO_MUTUAL", sni: "b" },
        portLevelSettings: [{ port: { number: 80 }, tls: { mode: "DISABLE" } }],
        loadBalancer: { simple: "RANDOM" },
      },
      subsets: [{ name: "v1", labels: { version: "v1" }, trafficPolicy: { tunnel: {} } }],
      workloadSelector: { matchLabels: { app: "a" } },
      exportTo: ["."],
    },
  ],
  [
    "ServiceEntry",
    serviceEntries,
    {
      hosts: ["a.example"],
      addresses: ["10.0.0.0/8"],
      ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 8080 }],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      endpoints: [{ address: "10.0.0.1", ports: { http: 81 }, labels: { a: "b" }, weight: 1 }],
      subjectAltNames: ["spiffe://a/b"],
      exportTo: ["*"],
    },
  ],
  [
    "WorkloadEntry",
    workloadEntries,
    {
      address: "10.0.0.1",
      ports: { http: 80 },
      labels: { app: "a" },
      serviceAccount: "a",
      network: "n",
      locality: "a/b/c",
      weight: 4_294_967_295,
    },
  ],
  [
    "Sidecar",
    sidecars,
    {
      workloadSelector: { labels: { app: "a" } },
      ingress: [
        {
          port: { number: 80, protocol: "HTTP", name: "http" },
          bind: "10.0.0.1",
          captureMode: "NONE",
          defaultEndpoint: "127.0.0.1:8080",
          tls: { mode: "SIMPLE" },
        },
      ],
      egress: [{ port: { number: 81, name: "b", protocol: "TCP" }, hosts: ["./*"] }],
      outboundTrafficPolicy: { mode: "ALLOW_ANY" },
    },
  ],
  ["field that it does not know", peerAuthentications, { mtls: { mode: "STRICT", later: [1] } }],
];

/** With what the API server says. */
export const refusedSpecs: readonly (readonly [string, Kind, unknown, RegExp])[] = [
  ["a mode", peerAuthentications, { mtls: { mode: "STRICTEST" } }, /supported values: .*STRICT/],
  [
    "a port's mode",
    peerAuthentications,
    { selector: { matchLabels: { a: "b" } }, portLevelMtls: { 80: { mode: "MUTUAL" } } },
    /supported values/,
  ],
  [
    "ports without a selector",
    peerAuthentications,
    { portLevelMtls: { 80: { mode: "DISABLE" } } },
    /portLevelMtls requires selector/,
  ],
  ["a rule without a host", destinationRules, { exportTo: ["."] }, /spec\.host: Required value/],
  [
    "a client's mode",
    destinationRules,
    { host: "a", trafficPolicy: { tls: { mode: "STRICT" } } },
    /supported values/,
  ],
  [
    "a subset's mode",
    destinationRules,
    { host: "a", subsets: [{ name: "v1", trafficPolicy: { tls: { mode: "NO" } } }] },
    /supported values/,
  ],
  ["an entry without a host", serviceEntries, { hosts: [] }, /should have at least 1 items/],
  ["a resolution", serviceEntries, { hosts: ["a.b"], resolution: "ANY" }, /supported values/],
  ["a port that is a text", workloadEntries, { address: "a", ports: { http: "80" } }, /integer/],
  ["a listener without a port", sidecars, { ingress: [{}] }, /port: Required value/],
];
