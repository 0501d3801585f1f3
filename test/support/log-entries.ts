/** Entries of the transparency log: whole ones to start from, and any that there can be. */

import * as fc from "fast-check";
import type {
  Entry,
  EventEntry,
  IntentEntry,
  RefusalsEntry,
  ResultEntry,
} from "../../src/core/log/entry.ts";
import { hex } from "./log-tree.ts";

export const LOG_NOW_MS = 1_790_000_000_000;

/** A serial of 16 octets, another for each number. */
export function serialOf(number: number): Uint8Array {
  const serial = Buffer.alloc(16, 0x5a);
  serial.writeUInt32BE(number, 12);
  return new Uint8Array(serial);
}

/** As a workload in Kubernetes leaves it. */
export function sampleIntent(changes: Partial<IntentEntry> = {}): IntentEntry {
  return {
    kind: "intent",
    timeMs: LOG_NOW_MS,
    artifact: "workload",
    requestId: "7f1c7a3e-2f0b-4c57-9d2e-0a4d5b6c7d8e",
    identity: "spiffe://cluster.local/ns/default/sa/web",
    authority: "0123456789abcdef0123456789abcdef01234567",
    serial: serialOf(0),
    notBeforeMs: LOG_NOW_MS - 120_000,
    notAfterMs: LOG_NOW_MS + 86_400_000,
    keyDigest: new Uint8Array(32).fill(0xaa),
    tbsDigest: new Uint8Array(32).fill(0xbb),
    evidence: {
      method: "kubernetes",
      issuer: "https://kubernetes.default.svc.cluster.local",
      tokenId: "1d0e4a52-93a1-4f3b-8a51-5c1f0f6f2b11",
      namespace: "default",
      pod: "web-7d4b9c6f5-x2x7q",
      podUid: "c0ffee00-1234-4abc-8def-0123456789ab",
      node: "ip-192-0-2-34.example.internal",
      address: "192.0.2.34",
    },
    root: "",
    agent: "",
    ...changes,
  };
}

export function sampleResult(changes: Partial<ResultEntry> = {}): ResultEntry {
  return {
    kind: "result",
    timeMs: LOG_NOW_MS,
    intentIndex: 1,
    serial: serialOf(0),
    outcome: "signed",
    certificateDigest: new Uint8Array(32).fill(0xcc),
    reason: "",
    ...changes,
  };
}

export function sampleEvent(changes: Partial<EventEntry> = {}): EventEntry {
  return {
    kind: "event",
    timeMs: LOG_NOW_MS,
    type: "log-started",
    operator: "",
    subject: "cluster.local/portcullis/log",
    reason: "",
    digest: new Uint8Array(0),
    detail: "",
    ...changes,
  };
}

export function sampleRefusals(changes: Partial<RefusalsEntry> = {}): RefusalsEntry {
  return {
    kind: "refusals",
    timeMs: LOG_NOW_MS,
    caller: "spiffe://cluster.local/ns/default/sa/web",
    address: "192.0.2.34",
    reason: "rate-limited",
    count: 12,
    firstMs: LOG_NOW_MS - 60_000,
    lastMs: LOG_NOW_MS - 1,
    ...changes,
  };
}

const text = (octetsMax: number): fc.Arbitrary<string> =>
  fc
    .string({ unit: "binary", maxLength: Math.min(octetsMax, 300) })
    .filter((each) => Buffer.byteLength(each) <= octetsMax);
const name = fc.oneof(
  text(254),
  fc.uuid(),
  fc.uuid().map((each) => each.toUpperCase()),
);
const time = fc.nat({ max: 2 ** 48 - 1 });
const wholeSeconds = fc.nat({ max: 2 ** 40 - 1 }).map((seconds) => seconds * 1000);
const octets = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const digest = fc.oneof(octets(32), fc.constant(new Uint8Array(0)));
const serial = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map((each) => Uint8Array.of(each[0] || 1, ...each.subarray(1)));

const anyIntent: fc.Arbitrary<Entry> = fc.record(
  {
    kind: fc.constant("intent"),
    timeMs: time,
    artifact: fc.constantFrom("workload", "serving", "jwt"),
    requestId: name,
    identity: text(2048),
    authority: fc.uint8Array({ minLength: 1, maxLength: 32 }).map(hex),
    serial,
    notBeforeMs: wholeSeconds,
    notAfterMs: wholeSeconds,
    keyDigest: octets(32),
    tbsDigest: octets(32),
    evidence: fc.record(
      {
        method: fc.constantFrom("kubernetes", "oidc", "x5c", "join-token", "certificate", "server"),
        issuer: text(1024),
        tokenId: name,
        namespace: name,
        pod: name,
        podUid: name,
        node: name,
        address: name,
      },
      { noNullPrototype: true },
    ),
    root: fc.oneof(fc.constant(""), octets(32).map(hex)),
    agent: fc.oneof(fc.constant(""), name),
  },
  { noNullPrototype: true },
);

const anyResult: fc.Arbitrary<Entry> = fc.record(
  {
    kind: fc.constant("result"),
    timeMs: time,
    intentIndex: time,
    serial,
    outcome: fc.constantFrom("signed", "failed", "unknown"),
    certificateDigest: digest,
    reason: name,
  },
  { noNullPrototype: true },
);

const anyRefusals: fc.Arbitrary<Entry> = fc.record(
  {
    kind: fc.constant("refusals"),
    timeMs: time,
    caller: text(2048),
    address: name,
    reason: name,
    count: fc.nat({ max: 2 ** 32 - 1 }),
    firstMs: time,
    lastMs: time,
  },
  { noNullPrototype: true },
);

const anyEvent: fc.Arbitrary<Entry> = fc.record(
  {
    kind: fc.constant("event"),
    timeMs: time,
    type: fc.constantFrom(
      "log-started",
      "trust-changed",
      "policy-changed",
      "command",
      "waiver",
      "denied",
      "denial-removed",
      "restored",
      "pruned",
      "clock-accepted",
      "alarm",
      "goodbye",
      "resources-changed",
      "flip-changed",
    ),
    operator: name,
    subject: text(2048),
    reason: text(1024),
    digest,
    detail: text(4096),
  },
  { noNullPrototype: true },
);

export const anyEntry: fc.Arbitrary<Entry> = fc.oneof(anyIntent, anyResult, anyRefusals, anyEvent);
