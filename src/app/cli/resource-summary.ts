/** What an object says, in a few words of a table. */

import type { ClientTls } from "../../core/resources/client-tls.ts";
import type { DestinationRule } from "../../core/resources/destination-rule.ts";
import type { PeerAuthentication } from "../../core/resources/peer-authentication.ts";
import type { PolicyObject } from "../../core/resources/policy-object.ts";
import type { Labels } from "../../core/resources/resource.ts";
import type { ServiceEntry } from "../../core/resources/service-entry.ts";
import type { Sidecar } from "../../core/resources/sidecar.ts";
import type { WorkloadEntry } from "../../core/resources/workload-entry.ts";

export function resourceSummary({ kind, object }: PolicyObject): string {
  switch (kind) {
    case "PeerAuthentication":
      return peerWords(object);
    case "DestinationRule":
      return ruleWords(object);
    case "ServiceEntry":
      return serviceWords(object);
    case "WorkloadEntry":
      return workloadWords(object);
    case "Sidecar":
      return sidecarWords(object);
    case "MeshConfig": {
      const { rootNamespace, enableAutoMtls } = object.config;
      return `root namespace ${rootNamespace}, auto mTLS ${enableAutoMtls ? "on" : "off"}`;
    }
    default:
      return kind satisfies never;
  }
}

function peerWords({ mode, ports, selector }: PeerAuthentication): string {
  const exceptions = [...ports].map(([port, its]) => `${port} ${its}`);
  return joined([mode, ...exceptions, ...selectorWords(selector)]);
}

function ruleWords({ host, traffic, subsets, workloadSelector }: DestinationRule): string {
  const ports = [...(traffic?.ports ?? [])].map(([port, tls]) => `${port} ${tlsWords(tls)}`);
  const named = subsets.map(({ name }) => name);
  return joined([
    `${host} ${tlsWords(traffic?.tls)}`,
    ...ports,
    ...(named.length === 0 ? [] : [`subsets ${few(named)}`]),
    ...selectorWords(workloadSelector),
  ]);
}

function tlsWords(tls: ClientTls | undefined): string {
  return tls?.mode ?? "as it is";
}

function serviceWords({ hosts, ports, isInternal, resolution }: ServiceEntry): string {
  const numbers = ports.map(({ number, protocol }) => `${number}/${protocol}`);
  return joined([few(hosts), few(numbers), isInternal ? "in the mesh" : "outside", resolution]);
}

function workloadWords({ address, serviceAccount, labels }: WorkloadEntry): string {
  const account = serviceAccount === "" ? "no service account" : `as ${serviceAccount}`;
  return joined([address, account, ...selectorWords(labels)]);
}

function sidecarWords({ workloadSelector, ingress, egress }: Sidecar): string {
  const ports = ingress.map(({ port }) => String(port.number));
  const hosts = egress?.flatMap((listener) => listener.hosts) ?? ["*/*"];
  return joined([
    `takes ${ports.length === 0 ? "nothing" : few(ports)}`,
    `calls ${hosts.length === 0 ? "nobody" : few(hosts)}`,
    ...selectorWords(workloadSelector),
  ]);
}

function selectorWords(labels: Labels): readonly string[] {
  return labels.size === 0 ? [] : [few([...labels].map(([key, value]) => `${key}=${value}`))];
}

const shownMax = 3;

function few(words: readonly string[]): string {
  const more = words.length - shownMax;
  return `${words.slice(0, shownMax).join(" ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function joined(parts: readonly string[]): string {
  return parts.join(", ");
}
