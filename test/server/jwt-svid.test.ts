/** `MintJwtSvid`: who gets a JWT-SVID, and what everybody else is told. */

import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http2";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { jwtVerify } from "jose";

import { openCallerAuthentication } from "../../src/app/server/caller-authentication.ts";
import {
  mintJwtSvidHandler,
  type JwtSvidDependencies,
} from "../../src/app/server/jwt-svid-service.ts";
import { Ledger } from "../../src/app/server/log/ledger.ts";
import { openStore } from "../support/log-store.ts";
import { issueServingCertificate } from "../support/serving.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { KeySet } from "../../src/edge/authn/key-set.ts";
import { TokenAuthenticator } from "../../src/edge/authn/token-authenticator.ts";
import { UsedTokens } from "../../src/edge/authn/used-tokens.ts";
import { Store } from "../../src/edge/store/store.ts";
import { createNetworkServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { TlsListener } from "../../src/edge/rpc/tls-listener.ts";
import { ServerEvents } from "../../src/edge/telemetry/server-events.ts";
import { ServerMetrics } from "../../src/edge/telemetry/server-metrics.ts";
import {
  MeshService,
  MintJwtSvidRequestSchema,
  MintJwtSvidResponseSchema,
  type MintJwtSvidResponse,
} from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { eventually, mint, TOKEN_KEY } from "../support/control-plane.ts";
import { fixedKeys, jwksDocument, makeTokenKey, TEST_ISSUER } from "../support/tokens.ts";
import { CODE, dialWire, frame, type WireConnection, type WireReply } from "./grpc-wire.ts";
import { openTrustParts, type TrustParts } from "./trust-parts.ts";

const PATH = "/portcullis.mesh.v1.MeshService/MintJwtSvid";
const TTL_SECONDS = 300;

interface Rig extends AsyncDisposable {
  readonly parts: TrustParts;
  readonly connection: WireConnection;
  readonly metrics: ServerMetrics;
}

async function startRig(changes: Partial<JwtSvidDependencies> = {}): Promise<Rig> {
  await using owned = new AsyncDisposableStack();
  const parts = owned.use(await openTrustParts());
  const { trust, config, nowMs, log } = parts;
  const stopping = new AbortController();
  owned.defer(() => stopping.abort());
  const others = {
    store: owned.use(await Store.open(join(parts.directory, "callers"), "server")),
    ownRoots: () => trust.current.bundle.roots,
    isDistrusted: () => false,
    usedTokens: new UsedTokens(nowMs()),
    kube: undefined,
    nowMs: () => Date.now(),
  };
  const authentication = owned.use(
    await openCallerAuthentication(config, "server", () => {}, stopping.signal, others),
  );
  const none = (): number => 0;
  const metrics = new ServerMetrics({
    rootNotAfterMs: none,
    chainNotAfterMs: none,
    servingNotAfterMs: none,
    signerAvailable: () => true,
    logSize: () => 0,
    logWritable: () => true,
    clockGood: () => true,
    queueDepth: none,
    agentsConnected: none,
    proxies: () => ({ connected: 0, absent: 0 }),
    bundleSequence: none,
    nowMs,
  });
  const { writer } = owned.use(await openStore(join(parts.directory, "log")));
  const mintJwtSvid = mintJwtSvidHandler({
    assertSettled: () => {},
    assertAdmitted: () => {},
    ledger: new Ledger({ writer, time: { assertGood: nowMs, nowMs } }),
    authenticate: (token, now) => authentication.authenticate(token, now),
    refreshKeys: () => authentication.refreshKeys(),
    trust: () => trust.current,
    ttlSeconds: () => TTL_SECONDS,
    events: new ServerEvents(log, metrics, () => {}),
    nowMs,
    requestId: randomUUID,
    deadlineMs: 10_000,
    waitingMax: 4,
    ...changes,
  });
  const grpc = createNetworkServer({ requestTimeoutMs: 10_000, endless: [] });
  addService(grpc, MeshService, { mintJwtSvid });
  const identity = issueServingCertificate(trust.current, ["127.0.0.1"], nowMs());
  const listener = new TlsListener(grpc, identity, {
    handshakeTimeoutMs: 10_000,
    connectionsMax: 100,
    onRefused: () => {},
  });
  const { port } = await listener.listen("127.0.0.1", 0);
  owned.defer(async () => {
    await listener.drain(1_000);
    await shutdownGrpc(grpc, 1_000);
  });
  const connection = owned.use(dialWire({ address: `127.0.0.1:${port}`, rootPem: parts.rootPem }));
  const rest = owned.move();
  return { parts, connection, metrics, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

type Request = MessageInitShape<typeof MintJwtSvidRequestSchema>;

function call(
  { connection }: Rig,
  request: Request,
  headers: OutgoingHttpHeaders = { authorization: `Bearer ${mint()}` },
): Promise<WireReply> {
  const message = create(MintJwtSvidRequestSchema, { audience: ["db"], ...request });
  return connection.call(PATH, frame(toBinary(MintJwtSvidRequestSchema, message)), headers);
}

function decode({ code, message, messages: [body] }: WireReply): MintJwtSvidResponse {
  assert.equal(code, CODE.ok, message);
  return fromBinary(MintJwtSvidResponseSchema, body ?? new Uint8Array());
}

async function count({ metrics }: Rig, name: string): Promise<number> {
  const text = await metrics.registry.metrics();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

const refusedMetric = (reason: string): string =>
  `portcullis_jwt_svids_refused_total{reason="${reason}"}`;

describe("a JWT-SVID by a service-account token", () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig();
  });
  after(() => rig[Symbol.asyncDispose]());

  test("is the caller's, verifies with the bundle, and is in the log by its jti alone", async () => {
    const issued = await count(rig, "portcullis_jwt_svids_issued_total");
    const response = decode(await call(rig, { audience: ["db", "cache"] }));
    const [key] = rig.parts.trust.current.bundle.jwtKeys;
    const published = createPublicKey({
      key: Buffer.from(key?.spki ?? []),
      format: "der",
      type: "spki",
    });
    const { payload, protectedHeader } = await jwtVerify(response.svid, published, {
      audience: "cache",
      subject: "spiffe://cluster.local/ns/shop/sa/cart",
    });
    assert.equal(protectedHeader.kid, key?.keyId);
    assert.equal(response.spiffeId, payload.sub);
    assert.equal(
      response.expiresAt && timestampMs(response.expiresAt),
      Number(payload.exp) * 1_000,
    );
    assert.equal(Number(payload.exp) - Number(payload.iat), TTL_SECONDS);
    assert.equal(await count(rig, "portcullis_jwt_svids_issued_total"), issued + 1);
    const line = rig.parts.lines.find(({ jti }) => jti === payload.jti);
    assert.equal(line?.["event"], "jwt-svid-issued");
    assert.equal(line["spiffeId"], payload.sub);
    const [, , signature = "?"] = response.svid.split(".");
    assert.ok(rig.parts.lines.every(({ text }) => !text.includes(signature)));
  });

  test("ends with the token at the latest, and earlier when asked", async () => {
    const exp = Math.floor(Date.now() / 1_000) + 60;
    const authorization = `Bearer ${mint({ exp })}`;
    const { expiresAt } = decode(await call(rig, {}, { authorization }));
    assert.equal(expiresAt?.seconds, BigInt(exp));
    const early = decode(await call(rig, { validityDuration: 5n }, { authorization }));
    assert.ok(Number(early.expiresAt?.seconds) <= exp - 50);
  });

  const audiences: readonly (readonly [string, Request, string])[] = [
    ["no audience", { audience: [] }, "argument_error"],
    ["65 audiences", { audience: Array<string>(65).fill("a") }, "argument_error"],
    ["an audience of 1,025 characters", { audience: ["a".repeat(1_025)] }, "argument_error"],
    ["a life of a second too long", { validityDuration: 301n }, "ttl_error"],
  ];
  for (const [title, request, reason] of audiences) {
    test(`is refused to ${title} with INVALID_ARGUMENT`, async () => {
      const before = await count(rig, refusedMetric(reason));
      const reply = await call(rig, request);
      assert.equal(reply.code, CODE.invalidArgument);
      assert.match(reply.message, /^expected /);
      assert.equal(await count(rig, refusedMetric(reason)), before + 1);
      const line = rig.parts.lines.find(
        ({ requestId }) => requestId === reply.metadata["x-request-id"],
      );
      assert.equal(line?.["event"], "jwt-svid-refused");
      assert.equal(line["spiffeId"], "spiffe://cluster.local/ns/shop/sa/cart");
    });
  }

  const strangers: readonly (readonly [string, OutgoingHttpHeaders, string])[] = [
    ["nobody", {}, "token-missing"],
    ["a token that expired", { authorization: `Bearer ${mint({ exp: 1 })}` }, "token-expired"],
    [
      "a token for others",
      { authorization: `Bearer ${mint({ aud: ["other"] })}` },
      "token-audience",
    ],
    [
      "a token under a key of the same name",
      { authorization: `Bearer ${mint({}, makeTokenKey("ES256", TOKEN_KEY.keyId))}` },
      "token-signature",
    ],
    ["no bearer", { authorization: `Basic ${mint()}` }, "token-missing"],
  ];
  for (const [title, headers, reason] of strangers) {
    test(`is refused to ${title} without a reason`, async () => {
      const before = await count(rig, refusedMetric("authentication"));
      const reply = await call(rig, {}, headers);
      assert.equal(reply.code, CODE.unauthenticated);
      assert.equal(reply.message, "request authenticate failure");
      assert.equal(await count(rig, refusedMetric("authentication")), before + 1);
      const line = rig.parts.lines.find(
        ({ requestId }) => requestId === reply.metadata["x-request-id"],
      );
      assert.equal(line?.["reason"], reason);
    });
  }

  test("is never made of bytes that are no request, and the next caller gets his", async () => {
    const headers = { authorization: `Bearer ${mint()}` };
    const replies = await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        rig.connection.call(PATH, frame(randomBytes(index)), headers),
      ),
    );
    const codes = new Set(replies.map(({ code }) => code));
    codes.delete(CODE.invalidArgument);
    codes.delete(CODE.internal);
    // A few bytes may be a request by accident.
    codes.delete(CODE.ok);
    assert.deepEqual([...codes], []);
    decode(await call(rig, {}));
  });
});

describe("while the token issuer's keys are read", () => {
  test("waits for them once, and then gets his JWT-SVID", async () => {
    const next = makeTokenKey("ES256", "next");
    const fixed = fixedKeys(jwksDocument(TOKEN_KEY));
    const keys = { keySet: fixed.keySet, reads: 0 };
    const authenticator = new TokenAuthenticator({
      issuer: TEST_ISSUER,
      keys: {
        ...fixed,
        get keySet() {
          return keys.keySet;
        },
      },
      trustDomain: TrustDomain.parse("cluster.local"),
    });
    await using rig = await startRig({
      authenticate: (token, now) => authenticator.authenticate(token, now),
      refreshKeys: async () => {
        keys.reads++;
        keys.keySet = KeySet.parse(jwksDocument(TOKEN_KEY, next));
      },
    });
    decode(await call(rig, {}, { authorization: `Bearer ${mint({}, next)}` }));
    const unknown = `Bearer ${mint({}, makeTokenKey("ES256", "unknown"))}`;
    assert.equal((await call(rig, {}, { authorization: unknown })).code, CODE.unauthenticated);
    assert.equal(keys.reads, 2);
  });

  test("waits a bounded number of callers, and none beyond its deadline", async () => {
    const keys = Promise.withResolvers<void>();
    await using rig = await startRig({ refreshKeys: () => keys.promise, deadlineMs: 2_000 });
    const authorization = `Bearer ${mint({}, makeTokenKey("ES256", "unknown"))}`;
    const waiting = Array.from({ length: 4 }, () => call(rig, {}, { authorization }));
    const fifth = await eventually(async () => {
      const reply = await call(rig, {}, { authorization });
      return reply.code === CODE.resourceExhausted && reply;
    });
    assert.ok(Number(fifth.metadata["grpc-retry-pushback-ms"]) >= 500);
    decode(await call(rig, {}));
    rig.parts.advance(2_000);
    keys.resolve();
    for (const { code } of await Promise.all(waiting)) assert.equal(code, CODE.deadlineExceeded);
    assert.equal(await count(rig, refusedMetric("deadline")), 4);
    // Their places are free again.
    assert.equal((await call(rig, {}, { authorization })).code, CODE.unauthenticated);
  });
});

describe("a server that signs with another key than it publishes", () => {
  test("sends nothing, and says no more than that", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await using real = await openTrustParts();
    const { bundle, jwt } = real.trust.current;
    await using rig = await startRig({ trust: () => ({ bundle, jwt: { ...jwt, privateKey } }) });
    const reply = await call(rig, {});
    assert.equal(reply.code, CODE.internal);
    assert.equal(reply.message, "the JWT-SVID failed its check");
    assert.equal(reply.messages.length, 0);
    const line = rig.parts.lines.at(-1);
    assert.equal(line?.["reason"], "jwt-svid-check-failed");
    assert.match(String(line["detail"]), /signature-verifies/);
  });
});
