/** Who is in the mesh that flips, and who is beside it: ten workloads of one service, a client with a proxy, and callers that have none yet. */

import { manifest, type Manifest } from "../policy-mesh/manifests.ts";

export const host = { http: "api.shop.internal", tcp: "ledger.shop.internal" } as const;

export interface Workload {
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
}

/** The target of the flip. */
export const apis: readonly Workload[] = Array.from({ length: 10 }, (_, at) => ({
  name: `api-${at}`,
  namespace: "shop",
  address: `127.2.0.${at + 1}`,
}));

export const web: Workload = { name: "web-0", namespace: "web", address: "127.2.1.1" };

type LegacyName = "cron" | "ledger" | "report" | "mover" | "late" | "nightly" | "weekly";

/** Of the namespace `legacy`; each of its own service account. */
export const legacy: Readonly<Record<LegacyName, Workload>> = {
  /** Calls in plaintext. */
  cron: of("cron", 1),
  /** Has TLS of its own. */
  ledger: of("ledger", 2),
  /** Calls seldom. */
  report: of("report", 3),
  /** Changes its address. */
  mover: of("mover", 4),
  /** These come when ports are strict already. */
  late: of("late", 6),
  nightly: of("nightly", 7),
  weekly: of("weekly", 8),
};

export const moverNextAddress = "127.2.2.5";
export interface Ports {
  /** Of the workloads. */
  readonly http: number;
  readonly tcp: number;
  /** Of the applications behind them. */
  readonly httpApp: number;
  readonly tcpApp: number;
  /** Where clients listen for their own application. */
  readonly callHttp: number;
  readonly callTcp: number;
}

const networking = "networking.istio.io/v1";
const workloadSelector = { labels: { app: "api" } };

/** All but the callers that move later. */
export function meshManifests(ports: Ports): readonly Manifest[] {
  return [
    ...apis.map((each) => entry(each, "api")),
    entry(web, "web"),
    ...Object.values(legacy).map((each) => entry(each, each.name)),
    service("api", host.http, "HTTP", ports.http),
    service("ledger", host.tcp, "TCP", ports.tcp),
    manifest(networking, "Sidecar", "shop/api", {
      workloadSelector,
      ingress: [
        ingress("HTTP", ports.http, ports.httpApp),
        ingress("TCP", ports.tcp, ports.tcpApp),
      ],
      egress: [{ hosts: ["~/*"] }],
    }),
    clientSidecar(web, "web", ports),
    manifest("security.istio.io/v1", "PeerAuthentication", "shop/api", {
      selector: { matchLabels: { app: "api" } },
      mtls: { mode: "PERMISSIVE" },
    }),
  ];
}

/** @param app its service account, too */
export function entry({ name, namespace, address }: Workload, app: string): Manifest {
  const spec = { address, labels: { app }, serviceAccount: app };
  return manifest(networking, "WorkloadEntry", `${namespace}/${name}`, spec);
}

export function clientSidecar(
  { name, namespace, address: bind }: Workload,
  app: string,
  { callHttp, callTcp }: Ports,
): Manifest {
  const egress = (number: number, protocol: string, called: string) => ({
    port: { number, name: "calls", protocol },
    bind,
    hosts: [`shop/${called}`],
  });
  return manifest(networking, "Sidecar", `${namespace}/${name}`, {
    workloadSelector: { labels: { app } },
    egress: [egress(callHttp, "HTTP", host.http), egress(callTcp, "TCP", host.tcp)],
  });
}

function of(name: string, at: number): Workload {
  return { name, namespace: "legacy", address: `127.2.2.${at}` };
}

function service(name: string, called: string, protocol: string, targetPort: number): Manifest {
  return manifest(networking, "ServiceEntry", `shop/${name}`, {
    hosts: [called],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    ports: [{ number: 80, name: "port", protocol, targetPort }],
    workloadSelector,
  });
}

function ingress(protocol: string, number: number, app: number): object {
  const port = { number, name: `port-${number}`, protocol };
  return { port, defaultEndpoint: `127.0.0.1:${app}` };
}
