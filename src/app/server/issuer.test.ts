/** With a real authority, a real log, and real steps between them; scripted only where a step must fail. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "fast-check";
import { WIRE_CSR, WIRE_KEY } from "../../../test/server/grpc-wire.ts";
import { makeAuthority, type TestAuthority } from "../../../test/support/authority.ts";
import { LOG_NOW_MS } from "../../../test/support/log-entries.ts";
import { openStore } from "../../../test/support/log-store.ts";
import { testAccount, testHolder, testPod, testView } from "../../../test/support/kube-objects.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { equalBytes } from "../../core/bytes.ts";
import { PortcullisError } from "../../core/error.ts";
import { AuthnError } from "../../core/identity/authn-error.ts";
import type { Caller } from "../../core/identity/caller.ts";
import { signPrepared } from "../../core/issuance/sign-prepared.ts";
import { prepareWorkloads } from "../../core/issuance/workload.ts";
import type { Pod } from "../../core/kube/pod.ts";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import type { Entry } from "../../core/log/entry.ts";
import { LogError } from "../../core/log/log-error.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import type { LogStore } from "../../edge/log/log-store.ts";
import { DeniedError } from "../../core/deny/deny-error.ts";
import { PeerError } from "../../edge/rpc/peer.ts";
import { IssuanceQueue } from "./issuance-queue.ts";
import { Issuer, type IssuerDependencies, type Order, type OrderOutcome } from "./issuer.ts";
import { assertNotGone } from "./kube/who/gone-caller.ts";
import { Ledger } from "./log/ledger.ts";

const nowMs = LOG_NOW_MS + 60_000;
const time = { assertGood: () => nowMs, nowMs: () => nowMs };
const policy = { defaultTtlSeconds: 3_600, maxTtlSeconds: 7_200 };

function orderOf(name: string, changes: Partial<Order> & { readonly caller?: Caller } = {}): Order {
  const id = SpiffeId.parse(`spiffe://cluster.local/ns/shop/sa/${name}`);
  return {
    caller: {
      id,
      namespace: "shop",
      expiresAtMs: Infinity,
      evidence: { method: "jwt", issuer: "https://issuer", tokenId: `jti-${name}` },
    },
    requestId: `request-${name}`,
    address: "192.0.2.7:1234",
    agent: "",
    csrPem: WIRE_CSR,
    requestedTtlSeconds: 0n,
    ...changes,
  };
}

describe("an issuer", () => {
  const directory = temporaryDirectory();
  let store: LogStore;
  let current: TestAuthority;
  let next: TestAuthority;
  before(async () => {
    store = await openStore(directory.path);
    [current, next] = await Promise.all([
      makeAuthority("p256", nowMs),
      makeAuthority("p256", nowMs),
    ]);
  });
  after(async () => {
    await store[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  const issuerOf = (changes: Partial<IssuerDependencies> = {}): Issuer =>
    new Issuer({
      authority: () => current.authority,
      prepare: (orders, now) => prepareWorkloads(orders, current.authority, policy, now),
      sign: (prepared) => signPrepared(prepared, current.authority),
      ledger: new Ledger({ writer: store.writer, time }),
      randomSerial: () => randomBytes(16),
      assertNotDenied: () => {},
      assertNotGone: () => {},
      onUnfit: () => assert.fail("a lint has failed"),
      ...changes,
    });
  const size = (): number => store.reader.head().size;
  const since = (from: number): readonly Entry[] =>
    [...store.reader.entries(from, 1_000)].map(({ data }) => decodeEntry(data));
  const urisOf = (outcome: OrderOutcome | undefined): string =>
    outcome?.kind === "issued" ? parseCertificate(outcome.certificate.der).uris.join() : "";

  it("gives each order its own outcome, and records those that could be prepared", async () => {
    const kinds = fc.array(fc.constantFrom("good", "no CSR", "too long"), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(kinds, async (wanted) => {
        const from = size();
        const orders = wanted.map((kind, index) =>
          orderOf(`w-${index}`, {
            ...(kind === "no CSR" && { csrPem: "no PEM" }),
            ...(kind === "too long" && { requestedTtlSeconds: 1_000_000n }),
          }),
        );
        const outcomes = await issuerOf().issue(orders, nowMs);
        assert.deepEqual(
          outcomes.map(urisOf),
          orders.map(({ caller }, index) => (wanted[index] === "good" ? caller.id.toString() : "")),
        );
        const good = wanted.filter((kind) => kind === "good").length;
        assert.equal(size(), from + 2 * good);
      }),
      { numRuns: 25 },
    );
  });

  it("records who asked, from where, by what proof, for which key, and what was signed", async () => {
    const from = size();
    const [outcome] = await issuerOf().issue([orderOf("cart")], nowMs);
    assert.ok(outcome?.kind === "issued");
    const { der, digest, serialHex } = outcome.certificate;
    const certificate = parseCertificate(der);
    const [intent, result] = since(from);
    assert.ok(intent?.kind === "intent" && result?.kind === "result");
    const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
    assert.equal(intent.requestId, "request-cart");
    assert.equal(intent.identity, "spiffe://cluster.local/ns/shop/sa/cart");
    assert.equal(intent.authority, current.authority.signer.id);
    assert.equal(intent.root, hash(current.root));
    assert.equal(intent.evidence.tokenId, "jti-cart");
    assert.equal(intent.evidence.address, "192.0.2.7:1234");
    assert.equal(Buffer.from(intent.serial).toString("hex"), serialHex);
    assert.deepEqual(
      [intent.notBeforeMs, intent.notAfterMs],
      [certificate.notBeforeMs, certificate.notAfterMs],
    );
    assert.equal(Buffer.from(intent.keyDigest).toString("hex"), hash(WIRE_KEY.spki));
    assert.equal(Buffer.from(intent.tbsDigest).toString("hex"), hash(certificate.tbs));
    assert.equal(Buffer.from(result.certificateDigest).toString("hex"), hash(der));
    assert.ok(equalBytes(digest, result.certificateDigest));
  });

  it("gives nothing to who was denied while it waited, and has nothing of it in the log", async () => {
    const from = size();
    const issuer = issuerOf({
      assertNotDenied: ({ id }) => {
        if (id.toString().endsWith("/bad")) throw new DeniedError("identity-denied", "scripted");
      },
    });
    const outcomes = await issuer.issue(
      ["good", "bad", "other"].map((name) => orderOf(name)),
      nowMs,
    );
    assert.deepEqual(outcomes.map(urisOf), [
      "spiffe://cluster.local/ns/shop/sa/good",
      "",
      "spiffe://cluster.local/ns/shop/sa/other",
    ]);
    assert.equal(size(), from + 4);
  });

  it("gives nothing to whose peer was distrusted while it waited, nor records it", async () => {
    const from = size();
    const error = new PeerError("peer-distrusted", "scripted");
    const assertPeer = (): never => {
      throw error;
    };
    const orders = [orderOf("bad", { assertPeer }), orderOf("good", { assertPeer: () => {} })];
    const [bad, good] = await issuerOf().issue(orders, nowMs);
    assert.deepEqual([bad, good?.kind], [{ kind: "refused", error }, "issued"]);
    assert.equal(size(), from + 2);
  });

  it("gives nothing to whose pod went while it stood in line, nor records it", async () => {
    const from = size();
    const view = testView([testPod(), testPod({ name: "cart-2", uid: "pod-2" })]);
    const first = Promise.withResolvers<void>();
    const issuer = issuerOf({
      prepare: async (orders, now) => {
        await first.promise;
        return prepareWorkloads(orders, current.authority, policy, now);
      },
      assertNotGone: (caller) => assertNotGone(caller, view, nowMs),
    });
    const queue = new IssuanceQueue(
      {
        refreshKeys: async () => {},
        assertReady: () => {},
        assertAdmitted: () => {},
        held: () => undefined,
        issue: (orders, now) => issuer.issue(orders, now),
        nowMs: () => nowMs,
      },
      () => ({ callsInFlightMax: 1, queueMax: 10 }),
    );
    const ask = (pod: Pod): Promise<unknown> =>
      new Promise((resolve) => {
        const { id, expiresAtMs } = orderOf("cart").caller;
        const holder = testHolder(testAccount(), { pod });
        queue.submit({
          ...orderOf(pod.name),
          authenticate: () => ({ id, expiresAtMs, ...holder }),
          deadlineMs: Infinity,
          isCancelled: () => false,
          onIssued: () => resolve("issued"),
          onRefused: (error) => resolve(error instanceof AuthnError ? error.code : error),
        });
      });
    const { pods } = view.caches;
    const asked = Array.from(pods.cache.values(), ask);
    await turn();
    await turn();
    pods.delete({ namespace: "shop", name: "cart-2" });
    first.resolve();
    assert.deepEqual(await Promise.all(asked), ["issued", "token-revoked"]);
    assert.equal(size(), from + 2);
  });

  it("lets no certificate outlive what its caller may have", async () => {
    const { caller } = orderOf("cart");
    const certificateNotAfterMs = nowMs + 600_000;
    const order = orderOf("cart", { caller: { ...caller, certificateNotAfterMs } });
    const [outcome] = await issuerOf().issue([order], nowMs);
    assert.ok(outcome?.kind === "issued");
    assert.equal(outcome.certificate.notAfterMs, certificateNotAfterMs);
  });

  it("refuses the one that could not be signed, and gives the others theirs", async () => {
    const from = size();
    const failure = new PortcullisError("signer-failed", "scripted");
    const sign: IssuerDependencies["sign"] = (prepared) =>
      signPrepared(prepared, current.authority).map((outcome, index) =>
        index === 1 ? { kind: "refused", error: failure, outcome: "unknown" } : outcome,
      );
    const orders = ["a", "b", "c"].map((name) => orderOf(name));
    const outcomes = await issuerOf({ sign }).issue(orders, nowMs);
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ["issued", "refused", "issued"],
    );
    assert.equal(outcomes[1]?.kind === "refused" && outcomes[1].error, failure);
    const results = since(from + 3).map((entry) => entry.kind === "result" && entry.outcome);
    assert.deepEqual(results, ["signed", "unknown", "signed"]);
  });

  it("signs nothing by another authority than the one that it was prepared for", async () => {
    const from = size();
    const sign: IssuerDependencies["sign"] = (prepared) => signPrepared(prepared, next.authority);
    const [outcome] = await issuerOf({ sign }).issue([orderOf("cart")], nowMs);
    assert.equal(outcome?.kind, "refused");
    const [, result] = since(from);
    assert.ok(result?.kind === "result");
    assert.equal(result.outcome, "failed");
  });

  it("signs nothing that fails a lint, and raises an alarm with its bytes", async () => {
    const unfit = Uint8Array.of(0x30, 0);
    const error = new PortcullisError("certificate-lint-failed", "scripted");
    const alarms: unknown[] = [];
    const issuer = issuerOf({
      prepare: () => [{ kind: "refused", error, unfit }],
      sign: () => assert.fail("signed"),
      onUnfit: (...alarm) => alarms.push(alarm),
    });
    const order = orderOf("cart");
    assert.deepEqual(await issuer.issue([order], nowMs), [{ kind: "refused", error }]);
    assert.deepEqual(alarms, [[order.caller.id.toString(), error, unfit]]);
  });

  it("signs nothing, and rejects, when the intents cannot be recorded", async () => {
    const failure = new LogError("log-unwritable", "scripted");
    const ledger = new Ledger({ writer: { append: () => Promise.reject(failure) }, time });
    const issuer = issuerOf({ ledger, sign: () => assert.fail("signed") });
    await assert.rejects(issuer.issue([orderOf("cart")], nowMs), failure);
  });

  it("asks nobody to record or to sign where nothing could be prepared", async () => {
    const from = size();
    const order = orderOf("cart", { csrPem: "no PEM" });
    const [outcome] = await issuerOf({ sign: () => assert.fail("signed") }).issue([order], nowMs);
    assert.equal(outcome?.kind, "refused");
    assert.equal(size(), from);
  });
});
