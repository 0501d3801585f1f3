/** WorkloadEntry, and the same where it stands in a ServiceEntry. */

import { isIP } from "node:net";

import type { Endpoint, WorkloadEntry } from "../../core/resources/workload-entry.ts";
import type { Json } from "./manifest.ts";
import type { Head } from "./metadata.ts";
import { shown, type Place } from "./place.ts";
import {
  entries,
  fields,
  integer,
  optional,
  required,
  text,
  textLike,
  type Reader,
} from "./reader.ts";
import { isHostName, labelLike, labels, nameLike, noLabels, portNumber } from "./words.ts";

const address: Reader<string> = (value, place) => {
  const written = text(value, place);
  if (written.startsWith("unix://")) return unixAddress(written, place);
  const lower = written.toLowerCase();
  if (isIP(lower) !== 0 || isHostName(lower)) return lower;
  if (typeof value === "string") {
    place.refuse(`expected an IP address, a name of DNS or unix:///PATH, got ${shown(value)}`);
  }
  return "";
};

function unixAddress(written: string, place: Place): string {
  const path = written.slice("unix://".length);
  const isWhole = /^(\/.*[^/]|@.+)$/.test(path) && path.length <= 107;
  if (!isWhole) place.refuse(`expected unix:///PATH of a socket, got ${shown(written)}`);
  return written;
}

const spec = fields({
  address: required(address, ""),
  ports: optional(entries(labelLike, portNumber, 256), new Map<string, number>()),
  labels: optional(labels, noLabels),
  serviceAccount: optional(nameLike, ""),
  network: optional(text, ""),
  locality: optional(textLike("REGION/ZONE/SUBZONE", /^[^/]+(\/[^/]+){0,2}$/, 256), ""),
  weight: optional(integer("a weight from 0 to 4294967295", 0, 0xff_ff_ff_ff), 0),
});

export const endpoint: Reader<Endpoint> = (value, place) => {
  const read = spec(value, place);
  if (read.address.startsWith("unix://") && read.ports.size > 0) {
    place.child("ports").refuse("expected no ports with a socket's path");
  }
  return read;
};

export function readWorkloadEntry(head: Head, value: Json, place: Place): WorkloadEntry {
  const read = endpoint(value, place);
  // Istio's rule: those of the metadata count, too, and more.
  return { ...head.resource, ...read, labels: new Map([...read.labels, ...head.labels]) };
}
