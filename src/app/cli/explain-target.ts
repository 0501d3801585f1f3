/** Whom `mtls explain` is asked about: words of the command line -> a workload, a host and a port of the configuration. */

import type { CallTarget } from "../../core/policy/calls.ts";
import type { MeshView } from "../../core/policy/mesh-view.ts";
import { endpointPort } from "../../core/policy/services.ts";
import { nameKey, refWords } from "../../core/resources/resource.ts";
import type { WorkloadEntry } from "../../core/resources/workload-entry.ts";
import { didYouMean } from "../../edge/config/nearest-match.ts";
import { ExplainError } from "./mtls-configuration.ts";
import { UsageError } from "./usage-error.ts";

export interface PlaceAndPort {
  readonly place: string;
  readonly port: number;
}

const hints = {
  "NAMESPACE/WORKLOAD:PORT": "shop/web:8080",
  "DST:PORT": "shop/web api.shop.svc.cluster.local:80",
} as const;

/** @param name of the argument. @throws UsageError */
export function parsePlaceAndPort(name: keyof typeof hints, text: string): PlaceAndPort {
  const match = /^(?<place>.+):(?<port>[0-9]{1,5})$/.exec(text);
  const port = Number(match?.groups?.["port"]);
  const place = match?.groups?.["place"];
  if (place !== undefined && port >= 1 && port <= 65_535) return { place, port };
  const message = `${name}: expected a name, a colon and a port from 1 to 65535, got ${JSON.stringify(text)}`;
  const hint = `portcullis mtls explain ${hints[name]}`;
  throw new UsageError("usage-invalid-value", message, { hint });
}

/** @param name NAMESPACE/NAME of a WorkloadEntry. @throws ExplainError */
export function findWorkload({ objects, mesh }: MeshView, name: string): WorkloadEntry {
  const [namespace = "", of = "", ...more] = name.split("/");
  const found = more.length === 0 ? mesh.services.workload({ namespace, name: of }) : undefined;
  if (found !== undefined) return found;
  const names = objects.workloads.map(({ ref }) => nameKey(ref));
  const sameName = names.filter((each) => each.endsWith(`/${name}`));
  const near = sameName.length > 0 ? `, did you mean "${sameName[0]}"` : didYouMean(name, names);
  const message = `no WorkloadEntry ${JSON.stringify(name)}${near}`;
  const hint = "a workload is NAMESPACE/NAME of a WorkloadEntry; a server's: portcullis get we -A";
  throw new ExplainError("explain-unknown-workload", message, { hint });
}

export interface FoundTarget extends CallTarget {
  /** The only endpoint that was asked for; undefined for all of the host's. */
  readonly endpoint: WorkloadEntry | undefined;
}

/**
 * @param place a host that the source sees, or NAMESPACE/NAME of a workload that is an endpoint of one
 * @throws ExplainError
 */
export function findTarget(
  view: MeshView,
  source: WorkloadEntry,
  { place, port }: PlaceAndPort,
  subset: string,
): FoundTarget {
  if (place.includes("/")) return { ...hostOfWorkload(view, source, { place, port }), subset };
  const { namespace } = source.ref;
  const asked = place.toLowerCase().replace(/\.$/, "");
  const isSeen = (host: string): boolean => view.mesh.services.seen(host, namespace).length > 0;
  const host = hostsMeant(asked, namespace).find(isSeen);
  if (host !== undefined) return { host, port, subset, endpoint: undefined };
  const hidden = hostsMeant(asked, namespace).flatMap((each) => view.servicesOfHost(each));
  const [first] = hidden;
  if (first !== undefined) {
    const message = `the host ${first.host} is not exported to namespace ${namespace}`;
    const hint = `exportTo of ${refWords(first.service.ref)}`;
    throw new ExplainError("explain-unknown-host", message, { hint });
  }
  const hosts = [...view.hosts()].filter(isSeen);
  const message = `no ServiceEntry has the host ${JSON.stringify(asked)}${didYouMean(asked, hosts)}`;
  const hint =
    "write the host in full, or NAMESPACE/NAME of one of its endpoints; a server's: portcullis get se -A";
  throw new ExplainError("explain-unknown-host", message, { hint });
}

/** As Istio completes short names; then the wildcards above it, the longest first. */
function hostsMeant(host: string, namespace: string): readonly string[] {
  const labels = host.split(".");
  return [
    host,
    ...(labels.length === 1 ? [`${host}.${namespace}.svc.cluster.local`] : []),
    ...(labels.length === 2 ? [`${host}.svc.cluster.local`] : []),
    ...labels.map((_, at) => ["*", ...labels.slice(at + 1)].join(".")),
  ];
}

function hostOfWorkload(
  view: MeshView,
  source: WorkloadEntry,
  { place, port }: PlaceAndPort,
): Omit<FoundTarget, "subset"> {
  const endpoint = findWorkload(view, place);
  const { services } = view.mesh;
  const found = view
    .servicesOf(endpoint)
    .flatMap((service) =>
      service.hosts
        .filter((host) => services.seen(host, source.ref.namespace).includes(service))
        .flatMap((host) =>
          service.ports
            .filter((each) => each.number === port || endpointPort(endpoint, each) === port)
            .map((each) => ({ host, port: each.number, endpoint })),
        ),
    );
  const [first, ...others] = found;
  if (first !== undefined && others.length === 0) return first;
  const listed = found.map((each) => `${each.host}:${each.port}`).join(", ");
  if (first !== undefined) {
    const message = `${place}:${port} is an endpoint of several: ${listed}`;
    throw new ExplainError("explain-ambiguous", message, { hint: "name the host" });
  }
  const message = `${nameKey(source.ref)} sees no host whose endpoint is ${place} on port ${port}`;
  const hint = `what the port takes: portcullis mtls explain ${place}:${port}`;
  throw new ExplainError("explain-unknown-port", message, { hint });
}
