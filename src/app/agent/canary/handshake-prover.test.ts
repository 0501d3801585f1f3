import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  makeAuthority,
  TEST_TRUST_DOMAIN,
  type TestAuthority,
} from "../../../../test/support/authority.ts";
import { until } from "../../../../test/support/envoy.ts";
import { makeTestLeaf } from "../../../../test/support/test-leaf.ts";
import { prepareCanaries } from "../../../core/issuance/canary.ts";
import { signPrepared } from "../../../core/issuance/sign-prepared.ts";
import { SpiffeId } from "../../../core/spiffe/id.ts";
import { encodeCertificates, encodePem } from "../../../core/x509/pem.ts";
import type { ToldHandshake } from "../../../edge/rpc/handshake-messages.ts";
import type { ProxyTarget } from "./canary-targets.ts";
import { HandshakeProver } from "./handshake-prover.ts";

const ownId = "spiffe://cluster.local/ns/shop/sa/cart";
const first = { rootSha256: "0a".repeat(32), rootsSequence: 1n };
const second = { rootSha256: "0b".repeat(32), rootsSequence: 2n };

let own: DisposableStack;
let ca: TestAuthority;
let port: number;
/** Connections that were let in; those that are open now, and most of them at once. */
let seen: { count: number; open: number; most: number };
let takes: boolean;
let answerMs: number;
let signed: string[];
let isRefused: boolean;
let prover: HandshakeProver;
let news: number;

beforeEach(async () => {
  own = new DisposableStack();
  ca = await makeAuthority("p256", Date.now());
  const leaf = await makeTestLeaf(ca, SpiffeId.parse(ownId));
  [seen, takes, answerMs, signed, isRefused, news] = [
    { count: 0, open: 0, most: 0 },
    true,
    0,
    [],
    false,
    0,
  ];
  const tls = {
    cert: encodeCertificates(leaf.chain),
    key: encodePem(leaf.privateKeyPkcs8, "PRIVATE KEY"),
    ca: encodeCertificates([ca.root]),
    requestCert: true,
  };
  const server = createServer(tls, (socket) => {
    seen.count += 1;
    seen.open += 1;
    seen.most = Math.max(seen.most, seen.open);
    socket.on("error", () => {});
    socket.on("close", () => (seen.open -= 1));
    socket.once("data", () => {
      if (!takes) return socket.destroy();
      setTimeout(() => socket.end("HTTP/1.1 200 OK\r\n\r\n"), answerMs);
      return undefined;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  own.defer(() => server.close());
  port = (server.address() as AddressInfo).port;
  prover = own.use(
    new HandshakeProver({
      roots: () => encodeCertificates([ca.root]),
      ownId: () => ownId,
      onProof: () => (news += 1),
      nowMs: Date.now,
      random: () => 0,
    }),
  );
});
afterEach(() => own[Symbol.dispose]());

const sign = async (csrPem: string, rootSha256: string): Promise<readonly string[]> => {
  signed.push(rootSha256);
  if (isRefused) throw new Error("too often");
  const orders = [{ csrPem, serial: randomBytes(16) }];
  const prepared = prepareCanaries(orders, TEST_TRUST_DOMAIN, ca.authority, 300, Date.now());
  const [outcome] = signPrepared(
    prepared.filter((each) => each.kind === "prepared"),
    ca.authority,
  );
  if (outcome?.kind !== "issued") throw outcome?.error;
  return [encodePem(outcome.certificate.der, "CERTIFICATE")];
};

function targets(count = 1, changes: Partial<ProxyTarget> = {}): Map<string, ProxyTarget> {
  const life = Symbol.for("life");
  const listeners = [{ name: "inbound_80", host: "127.0.0.1", port }];
  const one = { spiffeId: undefined, policyDigest: "0c", listeners, life, bundles: "1" };
  return new Map(
    Array.from({ length: count }, (_, index) => {
      const proxyId = `p${index}`;
      return [proxyId, { proxyId, ...one, ...changes }];
    }),
  );
}

const told = (key = "p0"): ToldHandshake | undefined => prover.told.get(key);

describe("proxies are tried", { timeout: 20_000 }, () => {
  it("only while a server asks", async () => {
    prover.look(targets());
    await sleep(200);
    assert.deepEqual([seen.count, signed], [0, []]);
    prover.ask(first, sign);
    prover.look(targets());
    await until(() => told() !== undefined, "a proof");
    assert.deepEqual(told()?.proof, { ...first, policyDigest: "0c", failure: undefined });
    prover.ask(undefined, undefined);
    assert.equal(prover.told.size, 0);
    prover.look(targets(1, { policyDigest: "0d" }));
    await sleep(200);
    assert.equal(seen.count, 1);
  });

  it("with one certificate for all, eight at once at most", async () => {
    answerMs = 30;
    prover.ask(first, sign);
    prover.look(targets(30));
    await until(() => prover.told.size === 30, "all proofs");
    assert.equal(signed.length, 1);
    assert.equal(seen.count, 30);
    assert.ok(seen.most <= 8 && seen.most > 1, String(seen.most));
    assert.equal(news, 30);
  });

  it("again when they are others, and not by the same wish of another stream", async () => {
    prover.ask(first, sign);
    prover.look(targets());
    await until(() => told() !== undefined, "a proof");
    prover.ask(undefined, undefined);
    prover.ask(first, sign);
    prover.look(targets());
    assert.notEqual(told(), undefined);
    prover.look(targets(1, { policyDigest: "0d" }));
    assert.equal(told(), undefined);
    await until(() => told()?.proof.policyDigest === "0d", "another proof");
    assert.deepEqual([seen.count, signed.length], [2, 1]);
  });

  it("again with another root's certificate, and at once for the same root among others", async () => {
    prover.ask(first, sign);
    prover.look(targets());
    await until(() => told() !== undefined, "a proof");
    prover.ask({ ...first, rootsSequence: 9n }, sign);
    assert.equal(told(), undefined);
    prover.look(targets());
    await until(() => told()?.proof.rootsSequence === 9n, "a proof among other roots");
    prover.ask(second, sign);
    prover.look(targets());
    await until(() => told()?.proof.rootSha256 === second.rootSha256, "a proof of the other root");
    assert.deepEqual(signed, [first.rootSha256, second.rootSha256]);
  });

  it("not at all once they are gone", async () => {
    answerMs = 50;
    prover.ask(first, sign);
    prover.look(targets());
    await until(() => seen.count === 1, "a handshake");
    prover.look(new Map());
    await sleep(150);
    assert.equal(prover.told.size, 0);
  });
});

describe("a refusal", { timeout: 20_000 }, () => {
  it("is told when it has come twice, with the listener", async () => {
    takes = false;
    prover.ask(first, sign);
    prover.look(targets());
    await until(() => told() !== undefined, "a failure");
    assert.equal(seen.count, 2);
    assert.equal(told()?.proof.failure?.listener, "inbound_80");
    assert.notEqual(told()?.proof.failure?.detail, "");
  });

  it("that has passed half a second later alarms nobody", async () => {
    takes = false;
    prover.ask(first, sign);
    prover.look(targets());
    await until(() => seen.count === 1, "a handshake");
    takes = true;
    await until(() => told() !== undefined, "a proof");
    assert.equal(told()?.proof.failure, undefined);
    assert.equal(news, 1);
  });

  it("of another identity than the proxy's is one", async () => {
    prover.ask(first, sign);
    prover.look(targets(1, { spiffeId: "spiffe://cluster.local/ns/shop/sa/web" }));
    await until(() => told() !== undefined, "a failure");
    assert.match(told()?.proof.failure?.detail ?? "", /expected .*web to listen there/);
  });

  it("of the certificate is no proof's failure, and is not asked about at once again", async () => {
    isRefused = true;
    prover.ask(first, sign);
    prover.look(targets());
    await until(() => signed.length === 1, "a wish for a certificate");
    await sleep(700);
    assert.deepEqual([signed.length, prover.told.size, seen.count], [1, 0, 0]);
  });
});
