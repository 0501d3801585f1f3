/** DestinationRule: its TLS, subsets and ports. What says how load is spread is taken, and of no effect. */

import type { ClientTls } from "../../core/resources/client-tls.ts";
import type { DestinationRule, TrafficPolicy } from "../../core/resources/destination-rule.ts";
import { clientTls } from "./client-tls.ts";
import type { Json } from "./manifest.ts";
import type { Head } from "./metadata.ts";
import { shown, type Place } from "./place.ts";
import { fields, list, optional, required, text, type Reader } from "./reader.ts";
import { exportTo, host, labelLike, labels, noLabels, portNumber } from "./words.ts";

const load = ["loadBalancer", "connectionPool", "outlierDetection"];

const maybeTls = optional(clientTls, undefined);

const portSettings = fields(
  { port: required(fields({ number: required(portNumber, 0) }), { number: 0 }), tls: maybeTls },
  load,
);

const written = fields(
  { tls: maybeTls, portLevelSettings: optional(list(portSettings, 256), []) },
  [...load, "tunnel", "proxyProtocol", "retryBudget"],
);

const trafficPolicy: Reader<TrafficPolicy> = (value, place) => {
  const { tls, portLevelSettings } = written(value, place);
  const ports = new Map<number, ClientTls | undefined>();
  for (const [index, { port, tls: ofPort }] of portLevelSettings.entries()) {
    if (ports.has(port.number)) {
      const at = place.child("portLevelSettings", index, "port", "number");
      at.refuse(`expected each port once, got ${port.number} again`);
    }
    ports.set(port.number, ofPort);
  }
  return { tls, ports };
};

const maybeTraffic = optional(trafficPolicy, undefined);

const subset = fields({
  name: required(labelLike, ""),
  labels: optional(labels, noLabels),
  trafficPolicy: maybeTraffic,
});

const spec = fields({
  host: required(text, ""),
  trafficPolicy: maybeTraffic,
  subsets: optional(list(subset, 256), []),
  workloadSelector: optional(fields({ matchLabels: optional(labels, noLabels) }), {
    matchLabels: noLabels,
  }),
  exportTo: optional(exportTo, []),
});

export function readDestinationRule(
  { resource }: Head,
  value: Json,
  place: Place,
): DestinationRule {
  const {
    host: name,
    trafficPolicy: traffic,
    subsets,
    workloadSelector,
    ...rest
  } = spec(value, place);
  const seen = new Set<string>();
  for (const [index, { name: each }] of subsets.entries()) {
    if (seen.has(each)) {
      place
        .child("subsets", index, "name")
        .refuse(`expected each name once, got ${shown(each)} again`);
    }
    seen.add(each);
  }
  return {
    ...resource,
    host: resolveHost(name, resource.ref.namespace, place.child("host")),
    traffic,
    subsets: subsets.map(({ trafficPolicy: ofSubset, ...each }) => ({
      ...each,
      traffic: ofSubset,
    })),
    workloadSelector: workloadSelector.matchLabels,
    exportTo: rest.exportTo,
  };
}

/** A name without a dot is a service of the object's own namespace, as in Istio. `*` is every host. */
function resolveHost(name: string, namespace: string, place: Place): string {
  if (name === "*" || name === "") return name;
  const full = host(name, place);
  return full.includes(".") || full === "" ? full : `${full}.${namespace}.svc.cluster.local`;
}
