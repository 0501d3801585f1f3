/** What the CA's own lints find wrong is not signed, and the bytes stay in the log. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { Issuer } from "../../src/app/server/issuer.ts";
import { Ledger } from "../../src/app/server/log/ledger.ts";
import { LogKeeper } from "../../src/app/server/log/log-keeper.ts";
import { signPrepared } from "../../src/core/issuance/sign-prepared.ts";
import { prepareWorkloads } from "../../src/core/issuance/workload.ts";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import type { Entry } from "../../src/core/log/entry.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { Store } from "../../src/edge/store/store.ts";
import { makeAuthority } from "../support/authority.ts";
import { openStore } from "../support/log-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { WIRE_CSR } from "./grpc-wire.ts";

test("bytes that fail a lint are refused, signed by nobody, and kept in the log", async () => {
  using directory = temporaryDirectory();
  await using log = await openStore(join(directory.path, "log"));
  using store = await Store.open(join(directory.path, "store"), "server");
  const nowMs = Date.now();
  const { authority } = await makeAuthority("p256", nowMs);
  // A writer gone wrong: it forgets that it was asked for one name only.
  const broken = {
    ...authority,
    encodeWorkload: (leaf: Parameters<typeof authority.encodeWorkload>[0]) =>
      authority.encodeWorkload({
        ...leaf,
        subjectAltNames: { uris: ["spiffe://cluster.local/ns/a/sa/a", "spiffe://cluster.local/x"] },
      }),
  };
  await using keeper = new LogKeeper({
    log,
    facts: store.facts,
    read: () => ({ wallMs: nowMs, monotonicMs: 0 }),
    onChange: () => {},
    onFailed: (error) => assert.fail(String(error)),
  });
  const issuer = new Issuer({
    authority: () => broken,
    prepare: (orders, now) =>
      prepareWorkloads(orders, broken, { defaultTtlSeconds: 60, maxTtlSeconds: 60 }, now),
    sign: (prepared) => signPrepared(prepared, broken),
    ledger: new Ledger({ writer: log.writer, time: keeper.time }),
    assertNotDenied: () => {},
    assertNotGone: () => {},
    onUnfit: (identity, error, tbs) => keeper.keepUnfit(identity, error, tbs),
    randomSerial: () => randomBytes(16),
  });
  const caller = {
    id: SpiffeId.parse("spiffe://cluster.local/ns/shop/sa/cart"),
    expiresAtMs: Infinity,
    evidence: { method: "jwt", issuer: "https://issuer" },
  } as const;
  const order = {
    caller,
    requestId: "1",
    address: "test",
    agent: "",
    csrPem: WIRE_CSR,
    requestedTtlSeconds: 0n,
  };
  const outcomes = await issuer.issue([order, order], nowMs);
  for (const outcome of outcomes) {
    assert.ok(outcome.kind === "refused");
    assert.equal((outcome.error as { code?: unknown }).code, "certificate-lint-failed");
  }
  await keeper[Symbol.asyncDispose]();
  const entries = Array.from(log.reader.entries(0, 100), ({ data }): Entry => decodeEntry(data));
  assert.deepEqual(
    entries.filter(({ kind }) => kind === "intent" || kind === "result"),
    [],
  );
  const alarms = entries.filter((entry) => entry.kind === "event" && entry.type === "alarm");
  assert.equal(alarms.length, 1);
  const [alarm] = alarms;
  assert.ok(alarm?.kind === "event");
  assert.equal(alarm.subject, "spiffe://cluster.local/ns/shop/sa/cart");
  const { message, tbs } = JSON.parse(alarm.detail) as { message: string; tbs: string };
  assert.match(message, /^the certificate to be signed fails /);
  assert.ok(Buffer.from(tbs, "base64").includes("spiffe://cluster.local/x"));
});
