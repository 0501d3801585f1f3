/** ServiceEntry, validated as Istio's webhook and its custom resource definition do. */

import { isIP } from "node:net";

import type { Resolution, ServiceEntry, ServicePort } from "../../core/resources/service-entry.ts";
import type { Endpoint } from "../../core/resources/workload-entry.ts";
import type { Json } from "./manifest.ts";
import type { Head } from "./metadata.ts";
import { shown, type Place } from "./place.ts";
import { fields, list, oneOf, optional, required, text, textLike, type Reader } from "./reader.ts";
import { exportTo, host, labelLike, labels, noLabels, portNumber, protocol } from "./words.ts";
import { endpoint } from "./workload-entry.ts";

const port: Reader<ServicePort> = fields({
  number: required(portNumber, 0),
  name: required(labelLike, ""),
  protocol: optional(protocol, "AUTO"),
  targetPort: optional(portNumber, undefined),
});

const address: Reader<string> = (value, place) => {
  const written = text(value, place);
  const [ip = "", bits, ...more] = written.split("/");
  const bitsMax = isIP(ip) === 4 ? 32 : 128;
  const isPrefix = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax);
  if (isIP(ip) !== 0 && isPrefix && more.length === 0) return written.toLowerCase();
  if (typeof value === "string") {
    place.refuse(`expected an IP address, or a prefix such as 10.0.0.0/8, got ${shown(value)}`);
  }
  return "";
};

const resolutions = ["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN"] as const;

const spec = fields({
  hosts: required(list(host, 1_024), [""]),
  addresses: optional(list(address, 1_024), []),
  ports: optional(list(port, 1_024), []),
  location: optional(oneOf(["MESH_EXTERNAL", "MESH_INTERNAL"]), "MESH_EXTERNAL"),
  resolution: optional(oneOf<Resolution>(resolutions), "NONE"),
  endpoints: optional(list(endpoint, 4_096), undefined),
  workloadSelector: optional(fields({ labels: optional(labels, noLabels) }), undefined),
  subjectAltNames: optional(list(textLike("a text that is not empty", /^.+$/, 4_096), 256), []),
  exportTo: optional(exportTo, []),
});

type Spec = ReturnType<typeof spec>;

export function readServiceEntry({ resource }: Head, value: Json, place: Place): ServiceEntry {
  const written = spec(value, place);
  checkPorts(written.ports, place);
  checkResolution(written, place);
  const { location, endpoints, workloadSelector, ...rest } = written;
  if (rest.hosts.length === 0) place.child("hosts").refuse("expected at least one host, got none");
  if (workloadSelector !== undefined && endpoints !== undefined && endpoints.length > 0) {
    const text = "expected either endpoints or workloadSelector, got both";
    place.child("workloadSelector").refuse(text);
  }
  return {
    ...resource,
    ...rest,
    isInternal: location === "MESH_INTERNAL",
    endpoints: endpoints ?? [],
    workloadSelector: workloadSelector?.labels ?? noLabels,
  };
}

function checkPorts(ports: readonly ServicePort[], place: Place): void {
  for (const key of ["number", "name"] as const) {
    const seen = new Set<number | string>();
    for (const [index, { [key]: each }] of ports.entries()) {
      const at = place.child("ports", index, key);
      if (seen.has(each)) at.refuse(`expected each ${key} once, got ${shown(each)} again`);
      seen.add(each);
    }
  }
}

function checkResolution(
  { resolution, hosts, addresses, endpoints = [], ...rest }: Spec,
  place: Place,
): void {
  const at = place.child("resolution");
  const isDns = resolution === "DNS" || resolution === "DNS_ROUND_ROBIN";
  if (resolution === "NONE" && endpoints.length > 0) {
    at.refuse("expected STATIC or DNS with endpoints, got NONE");
  }
  if (resolution === "DNS_ROUND_ROBIN" && endpoints.length > 1) {
    at.refuse("expected at most one endpoint with DNS_ROUND_ROBIN, got more");
  }
  if (isDns && addresses.some((each) => each.includes("/"))) {
    at.refuse("expected NONE or STATIC with a prefix in addresses, got DNS");
  }
  const selectsNone = rest.workloadSelector === undefined && endpoints.length === 0;
  const wildcard = hosts.findIndex((each) => each.startsWith("*."));
  if (isDns && selectsNone && wildcard !== -1) {
    const hint = "DNS has no address for all of a domain: write endpoints";
    place.child("hosts", wildcard).refuse("expected a host without a wildcard for DNS", hint);
  }
  const names = new Set(rest.ports.map(({ name }) => name));
  for (const [index, each] of endpoints.entries()) {
    checkEndpoint(each, { names, resolution }, place.child("endpoints", index));
  }
}

function checkEndpoint(
  { address: where, ports }: Endpoint,
  { names, resolution }: { readonly names: ReadonlySet<string>; readonly resolution: Resolution },
  place: Place,
): void {
  const isName = isIP(where) === 0 && !where.startsWith("unix://");
  if (resolution === "STATIC" && isName && where !== "") {
    place.child("address").refuse(`expected an IP address with STATIC, got ${shown(where)}`);
  }
  for (const name of ports.keys()) {
    if (names.has(name)) continue;
    place.child("ports", name).refuse(`expected the name of one of spec.ports, got ${shown(name)}`);
  }
}
