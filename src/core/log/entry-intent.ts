/** The bytes of an intent, and of the evidence in it. */

import type { Artifact, EvidenceMethod, IntentEntry, LoggedEvidence } from "./entry.ts";
import type { EntryReader } from "./entry-reader.ts";
import { IDENTITY_BYTES_MAX, malformed } from "./entry-wire.ts";
import type { EntryWriter } from "./entry-writer.ts";
import {
  readDigest,
  readSerial,
  writeDigest,
  writeFullDigest,
  writeSerial,
} from "./entry-parts.ts";
import { HASH_BYTES } from "./merkle.ts";

/** Seconds of certificates, which end with the year 9999 (RFC 5280 4.1.2.5). */
const SECONDS_OCTETS = 5;
const AUTHORITY_BYTES_MAX = 32;
const AUTHORITY = /^(?:[0-9a-f]{2}){1,32}$/;
const ROOT = /^(?:[0-9a-f]{64})?$/;
const ISSUER_BYTES_MAX = 1024;

/** The octet of each is its place, from 1. A new one goes to the end. */
const artifacts: readonly Artifact[] = ["workload", "serving", "jwt", "canary"];
const methods: readonly EvidenceMethod[] = [
  "kubernetes",
  "oidc",
  "x5c",
  "join-token",
  "certificate",
  "server",
  "node",
];

/** Whether it has what version 2 has at its end. Without any of that it is version 1: no entry has two encodings. */
export function namesMore({ root, agent }: Pick<IntentEntry, "root" | "agent">): boolean {
  return root !== "" || agent !== "";
}

/** @throws LogError */
export function writeIntent(writer: EntryWriter, entry: IntentEntry): void {
  writer.choice("artifact", entry.artifact, artifacts);
  writer.name("requestId", entry.requestId);
  writer.text("identity", entry.identity, IDENTITY_BYTES_MAX);
  if (!AUTHORITY.test(entry.authority)) {
    throw malformed("authority", "lower-case hex of 1 to 32 octets", entry.authority);
  }
  writer.octets("authority", Buffer.from(entry.authority, "hex"), 1);
  writeSerial(writer, entry.serial);
  writer.integer("notBeforeMs / 1000", entry.notBeforeMs / 1000, SECONDS_OCTETS);
  writer.integer("notAfterMs / 1000", entry.notAfterMs / 1000, SECONDS_OCTETS);
  writeFullDigest(writer, "keyDigest", entry.keyDigest);
  writeFullDigest(writer, "tbsDigest", entry.tbsDigest);
  writeEvidence(writer, entry.evidence);
  if (!namesMore(entry)) return;
  if (!ROOT.test(entry.root)) throw malformed("root", "64 lower-case hex digits", entry.root);
  writeDigest(writer, "root", Buffer.from(entry.root, "hex"));
  writer.name("agent", entry.agent);
}

/** @throws LogError */
export function readIntent(reader: EntryReader, timeMs: number, version: number): IntentEntry {
  return {
    kind: "intent",
    timeMs,
    artifact: reader.choice("artifact", artifacts),
    requestId: reader.name("requestId"),
    identity: reader.text("identity", IDENTITY_BYTES_MAX),
    authority: readAuthority(reader),
    serial: readSerial(reader),
    notBeforeMs: reader.integer("notBeforeMs", SECONDS_OCTETS) * 1000,
    notAfterMs: reader.integer("notAfterMs", SECONDS_OCTETS) * 1000,
    keyDigest: reader.octets("keyDigest", HASH_BYTES),
    tbsDigest: reader.octets("tbsDigest", HASH_BYTES),
    evidence: readEvidence(reader),
    ...(version === 1 ? { root: "", agent: "" } : readMore(reader)),
  };
}

function readMore(reader: EntryReader): Pick<IntentEntry, "root" | "agent"> {
  const root = Buffer.from(readDigest(reader, "root")).toString("hex");
  const more = { root, agent: reader.name("agent") };
  if (!namesMore(more)) throw malformed("agent", "a root or an agent in version 2", "neither");
  return more;
}

function readAuthority(reader: EntryReader): string {
  const length = reader.integer("authority", 1);
  if (length === 0 || length > AUTHORITY_BYTES_MAX) {
    throw malformed("authority", `1 to ${AUTHORITY_BYTES_MAX} octets`, `${length}`);
  }
  return reader.hex("authority", length);
}

function writeEvidence(writer: EntryWriter, evidence: LoggedEvidence): void {
  writer.choice("method", evidence.method, methods);
  writer.text("issuer", evidence.issuer, ISSUER_BYTES_MAX);
  writer.name("tokenId", evidence.tokenId);
  writer.name("namespace", evidence.namespace);
  writer.name("pod", evidence.pod);
  writer.name("podUid", evidence.podUid);
  writer.name("node", evidence.node);
  writer.name("address", evidence.address);
}

function readEvidence(reader: EntryReader): LoggedEvidence {
  return {
    method: reader.choice("method", methods),
    issuer: reader.text("issuer", ISSUER_BYTES_MAX),
    tokenId: reader.name("tokenId"),
    namespace: reader.name("namespace"),
    pod: reader.name("pod"),
    podUid: reader.name("podUid"),
    node: reader.name("node"),
    address: reader.name("address"),
  };
}
