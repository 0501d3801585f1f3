/** Sidecar: the ports of a workload's proxy. Without interception, each says where it listens, and where its application does. */

import type {
  EgressListener,
  IngressListener,
  Sidecar,
  SidecarPort,
} from "../../core/resources/sidecar.ts";
import type { Json } from "./manifest.ts";
import type { Head } from "./metadata.ts";
import { shown, type Place } from "./place.ts";
import { fields, list, oneOf, optional, required, text, type Reader } from "./reader.ts";
import { host, ipAddress, labelLike, labels, noLabels, portNumber, protocol } from "./words.ts";

const port: Reader<SidecarPort> = fields(
  {
    number: required(portNumber, 0),
    name: optional(labelLike, ""),
    protocol: optional(protocol, "AUTO"),
  },
  ["targetPort"],
);

const standIn: SidecarPort = { number: 0, name: "", protocol: "AUTO" };
const bind = optional(ipAddress, "");

const captureMode: Reader<undefined> = (value, place) => {
  const mode = oneOf(["DEFAULT", "NONE", "IPTABLES"])(value, place);
  if (mode !== "IPTABLES") return undefined;
  const hint = "callers go to the address where the proxy listens";
  place.warn("field-without-effect", "there is no interception here", hint);
  return undefined;
};

const defaultEndpoint: Reader<string> = (value, place) => {
  const written = text(value, place);
  const port = /^(?:127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):(\d{1,5})$/.exec(written)?.[1];
  const isPort = port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
  if (isPort || /^unix:\/\/\/.*[^/]$/.test(written)) return written;
  if (typeof value === "string") {
    const forms = "127.0.0.1:PORT, [::1]:PORT, 0.0.0.0:PORT, [::]:PORT or unix:///PATH";
    place.refuse(`expected ${forms}, got ${shown(value)}`);
  }
  return "";
};

const ownTls: Reader<undefined> = (_, place) => {
  place.refuse("expected no tls of its own: proxies here have the mesh's certificates only");
  return undefined;
};

const ingress = fields(
  {
    port: required(port, standIn),
    bind,
    captureMode: optional(captureMode, undefined),
    defaultEndpoint: required(defaultEndpoint, ""),
    tls: optional(ownTls, undefined),
  },
  ["connectionPool"],
);

const egressHost: Reader<string> = (value, place) => {
  const written = text(value, place);
  const [namespace = "", name, ...more] = written.split("/");
  if (name === undefined || more.length > 0) {
    const hint = "NAMESPACE is a name, *, . for its own or ~ for none; HOST may be *";
    if (typeof value === "string")
      place.refuse(`expected NAMESPACE/HOST, got ${shown(value)}`, hint);
    return "";
  }
  if (!["*", ".", "~"].includes(namespace)) labelLike(namespace, place);
  return `${namespace}/${name === "*" ? name : host(name, place)}`;
};

const egress = fields({
  port: optional(port, undefined),
  bind,
  captureMode: optional(captureMode, undefined),
  hosts: required(list(egressHost, 1_024), []),
});

const spec = fields(
  {
    workloadSelector: optional(fields({ labels: optional(labels, noLabels) }), {
      labels: noLabels,
    }),
    ingress: optional(list(ingress, 256), []),
    egress: optional(list(egress, 256), []),
  },
  ["inboundConnectionPool", "outboundTrafficPolicy"],
);

export function readSidecar({ resource }: Head, value: Json, place: Place): Sidecar {
  const written = spec(value, place);
  if (written.ingress.length + written.egress.length === 0) {
    place.refuse("expected ingress or egress, got neither", "", "missing-field");
  }
  checkIngress(written.ingress, place.child("ingress"));
  checkEgress(written.egress, place.child("egress"));
  return {
    ...resource,
    workloadSelector: written.workloadSelector.labels,
    ingress: written.ingress.map(({ port: at, bind: on, defaultEndpoint: app }) => ({
      port: at,
      bind: on,
      defaultEndpoint: app,
    })),
    // As Istio: an empty list says nothing.
    egress:
      written.egress.length === 0
        ? undefined
        : written.egress.map(({ port: at, bind: on, hosts }) => ({ port: at, bind: on, hosts })),
  };
}

function checkIngress(listeners: readonly IngressListener[], place: Place): void {
  const seen = new Set<number>();
  for (const [
    index,
    {
      port: { number },
    },
  ] of listeners.entries()) {
    if (seen.has(number)) {
      place.child(index, "port", "number").refuse(`expected each port once, got ${number} again`);
    }
    seen.add(number);
  }
}

function checkEgress(listeners: readonly EgressListener[], place: Place): void {
  const seen = new Set<string>();
  for (const [index, { port: at, bind: on, hosts }] of listeners.entries()) {
    if (hosts.length === 0) place.child(index, "hosts").refuse("expected at least one host");
    const key = at === undefined ? "" : `${on === "" ? "127.0.0.1" : on} ${at.number}`;
    if (seen.has(key)) {
      const what = at === undefined ? "one without a port" : `port ${at.number}`;
      place.child(index).refuse(`expected each listener once, got ${what} again`);
    }
    seen.add(key);
  }
}
