/** Whom the server believes: every refusal of a caller, as the caller sees it (`istio.md` 1). */

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test, type TestContext } from "node:test";

import {
  eventually,
  mint,
  scrape,
  startControlPlane,
  TOKEN_KEY,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { jwksDocument, makeTokenKey, signToken } from "../support/tokens.ts";
import {
  CODE,
  dialWire,
  sign,
  type SigningRequest,
  type WireConnection,
  type WireReply,
} from "./grpc-wire.ts";

const FAILURES = "citadel_server_authentication_failure_count";
const REFUSED = "request authenticate failure";
const other = makeTokenKey("ES256", TOKEN_KEY.keyId);
const nowSeconds = Math.floor(Date.now() / 1000);

interface Refusal {
  readonly title: string;
  readonly authorization: string | null;
  readonly reason: string;
}

const refusals: readonly Refusal[] = [
  { title: "no token", authorization: null, reason: "token-missing" },
  { title: "another scheme", authorization: "Basic dTpw", reason: "token-missing" },
  { title: "the scheme in lower case", authorization: `bearer ${mint()}`, reason: "token-missing" },
  { title: "an empty token", authorization: "Bearer ", reason: "token-missing" },
  {
    title: "two values joined by a proxy",
    authorization: `Bearer ${mint()}, Bearer ${mint()}`,
    reason: "token-malformed",
  },
  { title: "garbage", authorization: "Bearer garbage", reason: "token-malformed" },
  {
    title: "an unsigned token",
    authorization: `Bearer ${signToken(TOKEN_KEY, { header: { alg: "none" } })}`,
    reason: "token-algorithm",
  },
  {
    title: "another key's signature",
    authorization: `Bearer ${mint({}, other)}`,
    reason: "token-signature",
  },
  {
    title: "another audience",
    authorization: `Bearer ${mint({ aud: ["vault"] })}`,
    reason: "token-audience",
  },
  {
    title: "another issuer",
    authorization: `Bearer ${mint({ iss: "https://elsewhere" })}`,
    reason: "token-issuer",
  },
  {
    title: "an expired token",
    authorization: `Bearer ${mint({ exp: nowSeconds - 1 })}`,
    reason: "token-expired",
  },
  {
    title: "a token of tomorrow",
    authorization: `Bearer ${mint({ nbf: nowSeconds + 86_400, exp: nowSeconds + 90_000 })}`,
    reason: "token-not-yet-valid",
  },
  {
    title: "a user's token",
    authorization: `Bearer ${mint({ sub: "alice" })}`,
    reason: "token-subject",
  },
  {
    title: "a subject of three parts",
    authorization: `Bearer ${mint({ sub: "system:serviceaccount:cart" })}`,
    reason: "token-subject",
  },
];

function assertRefused(reply: WireReply, code: number, message: string): void {
  assert.deepEqual([reply.code, reply.message], [code, message]);
  assert.equal(reply.messages.length, 0);
  const own = new Set(["grpc-status", "grpc-message", "x-request-id", "grpc-retry-pushback-ms"]);
  const told = Object.keys(reply.metadata).filter((name) => !own.has(name));
  assert.deepEqual(told.toSorted(), [":status", "content-type", "date"]);
}

describe("a caller that is not authenticated", () => {
  let it: TestControlPlane;
  let connection: WireConnection;
  before(async () => {
    it = await startControlPlane();
    connection = dialWire(it);
  });
  after(async () => {
    await connection[Symbol.asyncDispose]();
    await it[Symbol.asyncDispose]();
  });

  async function assertCounted(request: SigningRequest, message: string): Promise<string> {
    const before = (await scrape(it)).get(FAILURES) ?? 0;
    const reply = await sign(connection, request);
    assertRefused(reply, CODE.unauthenticated, message);
    assert.equal((await scrape(it)).get(FAILURES), before + 1);
    const line = it.log.find(({ requestId }) => requestId === reply.metadata["x-request-id"]);
    assert.equal(line?.["event"], "request-refused");
    return String(line?.["reason"]);
  }

  for (const { title, authorization, reason } of refusals) {
    test(`refuses ${title}, and says why in the log only`, async () => {
      assert.equal(await assertCounted({ authorization }, REFUSED), reason);
    });
  }

  test("lets nobody impersonate, whatever the token", async () => {
    const message = { metadata: { ImpersonatedIdentity: "spiffe://cluster.local/ns/a/sa/b" } };
    const told = "request impersonation authentication failure";
    assert.equal(await assertCounted({ message }, told), "impersonation-refused");
    // Who is not authenticated learns nothing of what he may ask for.
    const stranger = { message, authorization: null };
    assert.equal(await assertCounted(stranger, REFUSED), "token-missing");
  });

  test("refuses a token of its own past as soon as the clock has passed its end", async () => {
    const authorization = `Bearer ${mint()}`;
    assert.equal((await sign(connection, { authorization })).code, CODE.ok);
    it.advance(3_600_000);
    const reason = await assertCounted({ authorization }, REFUSED);
    it.advance(-3_600_000);
    assert.equal(reason, "token-expired");
  });
});

/** A token may make the server read the keys again only some seconds after the last time. */
function passSomeTime(t: TestContext): void {
  const real = performance.now.bind(performance);
  t.mock.method(performance, "now", () => real() + 30_000);
}

test("reads the keys again for a key that is new, once for all who wait", async (t) => {
  await using it = await startControlPlane();
  await using connection = dialWire(it);
  const next = makeTokenKey("ES256", "next-key");
  const request = { authorization: `Bearer ${mint({}, next)}` };
  assertRefused(await sign(connection, request), CODE.unauthenticated, REFUSED);
  writeFileSync(it.jwksPath, jwksDocument(TOKEN_KEY, next));
  passSomeTime(t);
  const replies = await Promise.all([1, 2, 3].map(() => sign(connection, request)));
  assert.deepEqual(
    replies.map(({ code }) => code),
    [CODE.ok, CODE.ok, CODE.ok],
  );
  assert.equal(it.log.filter(({ event }) => event === "jwks-loaded").length, 2);
});

test("is unavailable to an unknown key while the keys cannot be read", async (t) => {
  await using it = await startControlPlane();
  await using connection = dialWire(it);
  writeFileSync(it.jwksPath, "not a key set");
  passSomeTime(t);
  const authorization = `Bearer ${mint({}, makeTokenKey("ES256", "next-key"))}`;
  const reply = await sign(connection, { authorization });
  assert.equal(reply.code, CODE.unavailable);
  assert.ok(Number(reply.metadata["grpc-retry-pushback-ms"]) > 0);
  assert.equal(
    (await scrape(it)).get('portcullis_requests_rejected_total{reason="unavailable"}'),
    1,
  );
  // Whose key is known is served all the while.
  assert.equal((await sign(connection)).code, CODE.ok);
});

test("serves known keys while strangers wait for keys that do not come", async (t) => {
  let reads = 0;
  const slow = createServer((_, response) => {
    if (reads++ === 0) response.end(jwksDocument(TOKEN_KEY));
  }).listen(0, "127.0.0.1");
  t.after(() => slow.close());
  await once(slow, "listening");
  const jwks = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/`;
  await using it = await startControlPlane({ flags: { jwks, "queue-length": "8" } });
  await using connection = dialWire(it);
  passSomeTime(t);
  const authorization = `Bearer ${mint({}, makeTokenKey("ES256", "no-such-key"))}`;
  const waiting = Array.from({ length: 12 }, () => sign(connection, { authorization }));
  await eventually(() => reads > 1);
  const honest = await sign(connection);
  slow.closeAllConnections();
  const codes = (await Promise.all(waiting)).map(({ code }) => code);
  assert.equal(honest.code, CODE.ok);
  const count = (code: number) => codes.filter((each) => each === code).length;
  assert.deepEqual([count(CODE.unavailable), count(CODE.resourceExhausted)], [4, 8]);
});
