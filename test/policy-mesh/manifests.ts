/** The configuration of the test's mesh: who listens where, and who calls whom. Addresses of its own, so that it is as on a network. */

export const host = {
  api: "api.shop.internal",
  grpc: "grpc.shop.internal",
  db: "db.shop.internal",
  /** Nobody of the mesh calls these two. */
  otherHttp: "http.other.internal",
  otherTcp: "tcp.other.internal",
} as const;

export type Protocol = "HTTP" | "HTTP2" | "TCP";
export type Mode = "DISABLE" | "PERMISSIVE" | "STRICT";

/** An Envoy of the mesh; its name is its node id and that of its WorkloadEntry. */
export interface MemberPlan {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly address: string;
}

export interface ServicePlan {
  readonly host: string;
  readonly app: string;
  readonly protocol: Protocol;
  /** The workloads' port. */
  readonly port: number;
  readonly appPort: number;
}

/** A document of a file. */
export type Manifest = Readonly<Record<string, unknown>>;

export const members: readonly MemberPlan[] = [
  ["web-1", "web", "web"],
  ["batch-1", "web", "batch"],
  ["api-1", "shop", "api"],
  ["api-2", "shop", "api"],
  ["db-1", "shop", "db"],
  ["other-1", "other", "other"],
].map(([name = "", namespace = "", serviceAccount = ""], index) => ({
  name,
  namespace,
  serviceAccount,
  address: `127.1.0.${index + 1}`,
}));

export function member(name: string): MemberPlan {
  const found = members.find((each) => each.name === name);
  if (found === undefined) throw new TypeError(`${name} is no member`);
  return found;
}

/** YAML, since JSON is. */
export function yamlOf(manifests: readonly Manifest[]): string {
  return manifests.map((each) => JSON.stringify(each, undefined, 2)).join("\n---\n");
}

const networking = "networking.istio.io/v1";

/** Everybody and everything but modes. `callPort` is where clients listen for their application, a port for each service. */
export function meshManifests(
  services: readonly ServicePlan[],
  callPort: (service: ServicePlan) => number,
): readonly Manifest[] {
  return [
    ...members.map(({ name, namespace, serviceAccount, address }) =>
      manifest(networking, "WorkloadEntry", `${namespace}/${name}`, {
        address,
        labels: { app: serviceAccount },
        serviceAccount,
      }),
    ),
    ...services.map(serviceEntry),
    ...["api", "db", "other"].map((app) =>
      ingress(
        app,
        services.filter((each) => each.app === app),
      ),
    ),
    ...["web-1", "batch-1"].map((name) => egress(member(name), services, callPort)),
  ];
}

export function peerAuthentication(at: string, mode: Mode, spec: Manifest = {}): Manifest {
  const all = { mtls: { mode }, ...spec };
  return manifest("security.istio.io/v1", "PeerAuthentication", at, all);
}

export function destinationRule(at: string, host: string, tls: Manifest): Manifest {
  return manifest(networking, "DestinationRule", at, { host, trafficPolicy: { tls } });
}

export function manifest(apiVersion: string, kind: string, at: string, spec: Manifest): Manifest {
  const [namespace, name] = at.split("/");
  return { apiVersion, kind, metadata: { name, namespace }, spec };
}

function serviceEntry({ host, app, protocol, port }: ServicePlan): Manifest {
  const namespace = app === "other" ? "other" : "shop";
  const [name = ""] = host.split(".");
  return manifest(networking, "ServiceEntry", `${namespace}/${name}`, {
    hosts: [host],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    ports: [{ number: 80, name: "port", protocol, targetPort: port }],
    workloadSelector: { labels: { app } },
  });
}

/** One that calls nobody still has to say so. */
function ingress(app: string, services: readonly ServicePlan[]): Manifest {
  const namespace = app === "other" ? "other" : "shop";
  return manifest(networking, "Sidecar", `${namespace}/${app}`, {
    workloadSelector: { labels: { app } },
    ingress: services.map(({ protocol, port, appPort }) => ({
      port: { number: port, name: `port-${port}`, protocol },
      defaultEndpoint: `127.0.0.1:${appPort}`,
    })),
    egress: [{ hosts: ["~/*"] }],
  });
}

function egress(
  { name, namespace, serviceAccount: app, address: bind }: MemberPlan,
  services: readonly ServicePlan[],
  callPort: (service: ServicePlan) => number,
): Manifest {
  const called = services.filter((each) => each.app !== "other");
  return manifest(networking, "Sidecar", `${namespace}/${name}`, {
    workloadSelector: { labels: { app } },
    egress: called.map((service) => ({
      port: { number: callPort(service), name: "calls", protocol: service.protocol },
      bind,
      hosts: [`shop/${service.host}`],
    })),
  });
}
