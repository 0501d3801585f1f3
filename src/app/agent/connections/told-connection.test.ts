/** As real Envoys tell of them; `test/connections` has these callers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SeenConnections } from "../../../core/evidence/connection.ts";
import type { AccessLogEntry } from "./access-log-entry.ts";
import { loggedConnection } from "./told-connection.ts";

const client = "spiffe://td.test/ns/shop/sa/client";
const entry: AccessLogEntry = {
  isEnd: true,
  port: 80,
  address: "10.0.0.7",
  beganMs: 1_000,
  lastedMs: 5,
  chain: "",
  id: "7",
  hasProven: false,
  hasNoRoute: false,
  hasTlsError: false,
  hasServerName: false,
  peerUri: "",
  userAgent: "",
};

const noChain = { id: "0", hasNoRoute: true };
const inHandshake = { peerUri: client, hasServerName: true };

type Case = readonly [title: string, some: Partial<AccessLogEntry>, told: string];

const cases: readonly Case[] = [
  ["plaintext that is taken", { chain: "plaintext-tcp", hasTlsError: true }, "plaintext 10.0.0.7"],
  ["plaintext HTTP", { chain: "plaintext-http", hasTlsError: true }, "plaintext 10.0.0.7"],
  ["who says nothing, where that is plaintext", { chain: "plaintext-tcp" }, "plaintext 10.0.0.7"],
  ["plaintext without a chain", { ...noChain, hasTlsError: true }, "plaintext refused 10.0.0.7"],
  [
    "who says nothing for as long as it is waited",
    { ...noChain, lastedMs: 1_001 },
    "plaintext refused 10.0.0.7",
  ],
  ["TLS that passes through", { chain: "passthrough" }, "passthrough 10.0.0.7"],
  [
    "TLS without a chain",
    { ...noChain, hasServerName: true, hasTlsError: true },
    "passthrough refused 10.0.0.7",
  ],
  ["TLS without a chain or a name", noChain, "passthrough refused 10.0.0.7"],
  ["mTLS", { chain: "mtls-tcp", ...inHandshake, hasProven: true }, `mtls ${client}`],
  ["mTLS without ALPN", { chain: "mtls-any", ...inHandshake, hasProven: true }, `mtls ${client}`],
  [
    "a certificate that is refused, with ALPN of the mesh",
    { chain: "mtls-http", ...inHandshake, hasTlsError: true },
    "mtls refused 10.0.0.7",
  ],
  [
    "a certificate that is refused, without",
    { chain: "mtls-any", ...inHandshake, hasTlsError: true },
    "tls refused 10.0.0.7",
  ],
  ["who goes in the middle of a handshake", { chain: "mtls-tcp", ...inHandshake }, "no call"],
  ["the canary", { chain: "canary", ...inHandshake, hasProven: true }, "no call"],
  ["who goes before he says what he is", { id: "0" }, "nothing"],
  ["a chain of another version", { chain: "mtls-quic", hasProven: true }, "nothing"],
  ["a port that there is none", { chain: "plaintext-tcp", port: 0 }, "nothing"],
  ["a time that there is none", { chain: "plaintext-tcp", beganMs: 0 }, "nothing"],
  ["a beginning that is no number", { chain: "plaintext-tcp", beganMs: NaN }, "nothing"],
  ["a length that is no number", { chain: "plaintext-tcp", lastedMs: NaN }, "nothing"],
  [
    "an end in the year 9999",
    { chain: "plaintext-tcp", beganMs: 253_402_300_799_994 },
    "plaintext 10.0.0.7",
  ],
  ["an end in the year 10000", { chain: "plaintext-tcp", beganMs: 253_402_300_799_995 }, "nothing"],
  ["an endless one", { chain: "plaintext-tcp", lastedMs: Infinity }, "nothing"],
  [
    "an IPv4 address in IPv6",
    { chain: "passthrough", address: "::ffff:10.0.0.7" },
    "passthrough 10.0.0.7",
  ],
  ["a caller without an address", { chain: "passthrough", address: "@" }, "passthrough others"],
  [
    "a certificate whose name is no SPIFFE ID",
    { chain: "mtls-tcp", peerUri: "spiffe://td.test/ns/a b", hasProven: true },
    "mtls 10.0.0.7",
  ],
];

for (const [title, some, told] of cases) {
  test(`takes for what it is: ${title}`, () => {
    const connection = loggedConnection({ ...entry, ...some });
    if (connection === undefined) assert.equal(told, "nothing");
    else assert.equal(connection.isCall ? textOf(connection.seen) : "no call", told);
  });
}

test("tells when it was, what it said of itself, and which it is", () => {
  const userAgent = "a".repeat(100);
  const some = { chain: "plaintext-http", isEnd: false, userAgent };
  const connection = loggedConnection({ ...entry, ...some });
  assert.equal(connection?.isEnd, false);
  assert.equal(connection.id, "7");
  const { firstMs, lastMs, count, claim } = connection.seen;
  assert.deepEqual([firstMs, lastMs, count, claim], [1_000, 1_005, 1, "a".repeat(64)]);
});

test("takes no endless number for one", () => {
  const id = "9".repeat(21);
  assert.equal(loggedConnection({ ...entry, chain: "plaintext-tcp", id })?.id, "");
});

function textOf({ kind, isRefused, source }: SeenConnections): string {
  const named = source.kind === "identity" ? source.spiffeId : "others";
  const from = source.kind === "address" ? source.address : named;
  return `${kind} ${isRefused ? "refused " : ""}${from}`;
}
