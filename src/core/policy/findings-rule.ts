/** DestinationRules that reach nobody, or would be refused by whom they reach. */

import type { ClientTls } from "../resources/client-tls.ts";
import type { DestinationRule, TrafficPolicy } from "../resources/destination-rule.ts";
import type { Finding } from "./finding.ts";
import { EndpointFacts } from "./findings-endpoints.ts";
import { exportFindings, selectorFindings } from "./findings-selected.ts";
import { sentFindings } from "./findings-sent.ts";
import { warn } from "./findings-words.ts";
import { selects } from "./labels.ts";
import type { MeshView, ServiceHost } from "./mesh-view.ts";

/** @param doesNotCount whose traffic policy an older rule's stands in the place of */
export function ruleFindings(
  view: MeshView,
  doesNotCount: ReadonlySet<DestinationRule>,
): readonly Finding[] {
  const facts = new EndpointFacts(view);
  return view.objects.rules.flatMap((rule) => {
    const called = calledBy(view, rule.host);
    return [
      ...selectorFindings(view, rule, rule.workloadSelector, "spec.workloadSelector"),
      ...exportFindings(view, rule),
      ...writtenFindings(rule),
      ...(called.length === 0 ? [unknownHost(rule)] : []),
      ...(called.length === 0 ? [] : unknownPorts(rule, called)),
      ...emptySubsets(view, rule, called),
      ...sentFindings(facts, rule, called, doesNotCount.has(rule)),
    ];
  });
}

/** A wildcard of a ServiceEntry has whatever is below it. */
function calledBy(view: MeshView, host: string): readonly ServiceHost[] {
  const found = view.servicesAt(host);
  if (found.length > 0 || host.startsWith("*")) return found;
  const labels = host.split(".");
  return labels.flatMap((_, at) => view.servicesOfHost(["*", ...labels.slice(at + 1)].join(".")));
}

function unknownHost({ ref, host }: DestinationRule): Finding {
  const text = `no ServiceEntry has the host ${host}`;
  const hint = "write the host in full: a name without dots is one of the rule's own namespace";
  return warn("unknown-host", ref, "spec.host", text, hint);
}

function unknownPorts(
  { ref, traffic, subsets }: DestinationRule,
  called: readonly ServiceHost[],
): readonly Finding[] {
  const known = new Set(called.flatMap(({ service }) => service.ports.map(({ number }) => number)));
  const said = new Set([
    ...(traffic?.ports.keys() ?? []),
    ...subsets.flatMap(({ traffic: own }) => [...(own?.ports.keys() ?? [])]),
  ]);
  const listed = [...known].toSorted((a, b) => a - b).join(", ");
  return [...said]
    .filter((port) => !known.has(port))
    .map((port) => {
      const text = `no service that it is for has port ${port}; known: ${listed}`;
      const path = "spec.trafficPolicy.portLevelSettings";
      return warn("unknown-port", ref, path, text, "ports here are the service's");
    });
}

interface WrittenTraffic {
  readonly path: string;
  readonly traffic: TrafficPolicy;
}

function writtenFindings(rule: DestinationRule): readonly Finding[] {
  const { ref, traffic, subsets } = rule;
  const written: readonly WrittenTraffic[] = [
    ...(traffic === undefined ? [] : [{ path: "spec.trafficPolicy", traffic }]),
    ...subsets.flatMap(({ traffic: own }, at) =>
      own === undefined ? [] : [{ path: `spec.subsets[${at}].trafficPolicy`, traffic: own }],
    ),
  ];
  return written.flatMap(({ path, traffic: { tls, ports } }) => {
    const all: readonly (ClientTls | undefined)[] = [tls, ...ports.values()];
    const isUnverified = all.some((each) => each?.insecureSkipVerify);
    const hiding = [...ports].filter(([, each]) => each === undefined).map(([port]) => port);
    const isHidden = hiding.length > 0 && (tls ?? traffic?.tls) !== undefined;
    return [
      ...(isUnverified
        ? [warn("skips-verification", ref, `${path}.tls.insecureSkipVerify`, unverified, verify)]
        : []),
      ...(isHidden ? [hidesTls(rule, path, hiding)] : []),
    ];
  });
}

const unverified = "whoever answers is believed: no certificate is verified";
const verify = "name who may answer in caCertificates and subjectAltNames";

function hidesTls({ ref }: DestinationRule, path: string, ports: readonly number[]): Finding {
  const text = `the settings of port ${ports.join(", ")} say nothing of TLS, and the rule's tls does not hold there`;
  const hint = "write the tls once more into the port's settings";
  return warn("port-hides-tls", ref, `${path}.portLevelSettings`, text, hint);
}

function emptySubsets(
  view: MeshView,
  { ref, subsets }: DestinationRule,
  called: readonly ServiceHost[],
): readonly Finding[] {
  if (subsets.length === 0) return [];
  const endpoints = called.flatMap(({ service }) => view.endpointsOf(service));
  if (endpoints.length === 0) return [];
  return subsets.flatMap(({ name, labels }, at) => {
    if (endpoints.some(({ endpoint }) => selects(labels, endpoint.labels))) return [];
    const text = `no endpoint of the host has the labels of subset ${name}`;
    return [warn("subset-without-endpoints", ref, `spec.subsets[${at}].labels`, text)];
  });
}
