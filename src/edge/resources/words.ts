/** Words of Kubernetes and Istio: names, labels, hosts, addresses, ports. What differs in case only is made lower case. */

import { isIP } from "node:net";

import type { Labels } from "../../core/resources/resource.ts";
import type { Protocol } from "../../core/resources/service-entry.ts";
import { didYouMean } from "../config/nearest-match.ts";
import { shown } from "./place.ts";
import { entries, integer, list, text, textLike, type Reader } from "./reader.ts";

const label = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";
const subdomain = `${label}(?:\\.${label})*`;

/** RFC 1123, as Kubernetes has names. */
export const nameLike: Reader<string> = textLike(
  "a name of letters a to z, digits, - and .",
  new RegExp(`^${subdomain}$`),
  253,
);

export const labelLike: Reader<string> = textLike(
  "a name of letters a to z, digits and -",
  new RegExp(`^${label}$`),
  63,
);

const labelKey: Reader<string> = textLike(
  "a label's key, such as app or example.com/tier",
  new RegExp(`^(?:${subdomain}/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`),
  317,
);

const labelValue: Reader<string> = (value, place) => {
  const written = text(value, place);
  if (/^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/.test(written)) return written;
  const hint = written.includes("*") ? "a selector has no wildcards: leave the label out" : "";
  place.refuse(`expected a label's value, got ${shown(written)}`, hint);
  return "";
};

const labelsMax = 64;

export const labels: Reader<Labels> = entries(labelKey, labelValue, labelsMax);

export const noLabels: Labels = new Map();

export const portNumber: Reader<number> = integer("a port from 1 to 65535", 1, 65_535);

const hostPattern = new RegExp(`^${subdomain}\\.?$`);

/** Lower case and without a final dot; with `*.` before it for all below. */
export const host: Reader<string> = (value, place) => {
  const written = text(value, place).toLowerCase();
  const name = written.startsWith("*.") ? written.slice(2) : written;
  if (isHostName(name)) return written.replace(/\.$/, "");
  if (typeof value === "string") {
    const hint = written.includes("*") ? "a wildcard is a whole first label: *.example.com" : "";
    place.refuse(`expected a host, got ${shown(value)}`, hint);
  }
  return "";
};

export function isHostName(name: string): boolean {
  return name.length <= 253 && hostPattern.test(name);
}

export const ipAddress: Reader<string> = (value, place) => {
  const written = text(value, place);
  if (typeof value === "string" && isIP(written) === 0) {
    place.refuse(`expected an IP address, got ${shown(written)}`);
  }
  return written.toLowerCase();
};

/** Namespaces: `.`, `*`, `~` (nobody) or by name. */
export const exportTo: Reader<readonly string[]> = list((value, place) => {
  if (value === "." || value === "*" || value === "~") return value;
  return labelLike(value, place);
}, 256);

/** Istio's words for it; what it does not know of TLS is TCP here. */
const protocols: ReadonlyMap<string, Protocol> = new Map([
  ["", "AUTO"],
  ["GRPC", "GRPC"],
  ["GRPC-WEB", "GRPC"],
  ["HTTP", "HTTP"],
  ["HTTP2", "HTTP2"],
  ["HTTPS", "HTTPS"],
  ["MONGO", "TCP"],
  ["MYSQL", "TCP"],
  ["REDIS", "TCP"],
  ["TCP", "TCP"],
  ["TLS", "TLS"],
]);

export const protocol: Reader<Protocol> = (value, place) => {
  const written = text(value, place).toUpperCase();
  const known = protocols.get(written);
  if (known !== undefined) return known;
  const words = [...protocols.keys()].filter((word) => word !== "");
  const hint = written === "UDP" ? "mTLS is for TCP only" : "";
  const near = didYouMean(written, words);
  place.refuse(`expected one of ${words.join(", ")}, got ${shown(value)}${near}`, hint);
  return "AUTO";
};
