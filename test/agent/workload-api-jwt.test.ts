/** FetchJWTSVID against a control plane that refuses, lies and is silent: what the workload gets, and what it never gets. */

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { status, type ServiceError } from "@grpc/grpc-js";
import { SpiffeWorkloadAPI } from "../../src/gen/spiffe/workload/workload_pb.ts";
import { makeTokenKey } from "../support/tokens.ts";
import { WorkloadApiRig, type MintAnswer, type WorkloadClient } from "./workload-api-rig.ts";

const { fetchJWTSVID } = SpiffeWorkloadAPI.method;

let rig: WorkloadApiRig;
let client: WorkloadClient;

beforeEach(async () => {
  rig = await WorkloadApiRig.start();
  client = rig.client();
});
afterEach(async () => {
  client[Symbol.dispose]();
  await rig[Symbol.asyncDispose]();
});

async function fetchSvid(...audience: readonly string[]): Promise<string> {
  const { svids } = await client.call(fetchJWTSVID, { audience });
  return svids[0]?.svid ?? "";
}

async function refusal(request: Readonly<Record<string, unknown>>): Promise<ServiceError> {
  const error = await client.call(fetchJWTSVID, request).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(error instanceof Error, "it was not refused");
  return error as ServiceError;
}

const minuteMs = 60_000;
const later = (ms: number): void => void (rig.aheadMs += ms);

describe("a JWT-SVID that is kept", () => {
  test("is given for half of its life, and then another", async () => {
    const first = await fetchSvid("db");
    later(2 * minuteMs);
    assert.equal(await fetchSvid("db"), first);
    later(minuteMs);
    assert.notEqual(await fetchSvid("db"), first);
    assert.equal(rig.mints.length, 2);
  });

  test("is given while the server is away until it expires, and not after", async () => {
    const first = await fetchSvid("db");
    rig.answer = () => status.UNAVAILABLE;
    later(4 * minuteMs);
    assert.equal(await fetchSvid("db"), first);
    later(minuteMs);
    assert.equal((await refusal({ audience: ["db"] })).code, status.UNAVAILABLE);
  });

  test("spares a server that is away: it is asked again after 10 seconds", async () => {
    await fetchSvid("db");
    rig.answer = () => status.UNAVAILABLE;
    later(3 * minuteMs);
    for (let round = 0; round < 5; round++) await fetchSvid("db");
    assert.equal(rig.mints.length, 2);
    later(10_000);
    await fetchSvid("db");
    assert.equal(rig.mints.length, 3);
  });

  test("is not given when its key has left the bundle", async () => {
    const first = await fetchSvid("db");
    const next = makeTokenKey("ES256", "jwt-2");
    rig.set = rig.set && { ...rig.set, bundle: rig.bundle(2n, next) };
    assert.equal((await refusal({ audience: ["db"] })).code, status.UNAVAILABLE);
    rig.answer = ({ audience }) => rig.jwtSvid({ aud: audience }, next);
    assert.notEqual(await fetchSvid("db"), first);
  });

  test("is for its audiences in any order, and for no part of them", async () => {
    const both = await fetchSvid("a", "b");
    assert.equal(await fetchSvid("b", "a", "b"), both);
    await fetchSvid("a");
    assert.deepEqual(
      rig.mints.map(({ audience }) => audience),
      [["a", "b"], ["a"]],
    );
  });
});

describe("of what the server gives, the workload does not get", () => {
  const other = makeTokenKey("ES256", "jwt-2");
  const lies: readonly (readonly [string, () => MintAnswer])[] = [
    ["nothing", () => ""],
    ["what is no token", () => "a.b.c"],
    ["somebody else's", () => rig.jwtSvid({ aud: ["db"], sub: `${rig.ca.spiffeId}2` })],
    ["one of another trust domain", () => rig.jwtSvid({ aud: ["db"], sub: "spiffe://x/y" })],
    ["one for somebody else", () => rig.jwtSvid({ aud: ["cache"] })],
    ["one for somebody else as well", () => rig.jwtSvid({ aud: ["cache", "db"] })],
    ["an expired one", () => rig.jwtSvid({ aud: ["db"], exp: Math.floor(Date.now() / 1_000) })],
    ["one without an end", () => rig.jwtSvid({ aud: ["db"], exp: undefined })],
    ["one under a key that the bundle has not", () => rig.jwtSvid({ aud: ["db"] }, other)],
    [
      "one under another key with the kid of the bundle's",
      () => rig.jwtSvid({ aud: ["db"] }, { ...other, keyId: rig.jwtKey.keyId }),
    ],
  ];
  for (const [title, answer] of lies) {
    test(title, async () => {
      rig.answer = answer;
      const { code, details } = await refusal({ audience: ["db"] });
      assert.equal(code, status.UNAVAILABLE);
      assert.doesNotMatch(details, /eyJ/);
      assert.equal(rig.problems.length, 1);
    });
  }
});

describe("a server's refusal", () => {
  const codes: readonly (readonly [keyof typeof status, keyof typeof status])[] = [
    ["UNAUTHENTICATED", "PERMISSION_DENIED"],
    ["PERMISSION_DENIED", "PERMISSION_DENIED"],
    ["INVALID_ARGUMENT", "INVALID_ARGUMENT"],
    ["UNIMPLEMENTED", "UNIMPLEMENTED"],
    ["RESOURCE_EXHAUSTED", "UNAVAILABLE"],
    ["INTERNAL", "UNAVAILABLE"],
  ];
  for (const [said, told] of codes) {
    test(`of ${said} is ${told} for the workload`, async () => {
      rig.answer = () => status[said];
      assert.equal((await refusal({ audience: ["db"] })).code, status[told]);
    });
  }
});

describe("the agent's own token", () => {
  test("is read at each request", async () => {
    await fetchSvid("a");
    writeFileSync(rig.tokenFile, "token-2\n");
    await fetchSvid("b");
    assert.deepEqual(
      rig.mints.map(({ authorization }) => authorization),
      ["Bearer token-1", "Bearer token-2"],
    );
  });

  test("is not quoted when it is none, and its file's absence is Unavailable", async () => {
    writeFileSync(rig.tokenFile, "hush hush");
    const { code, details } = await refusal({ audience: ["db"] });
    assert.equal(code, status.UNAVAILABLE);
    assert.doesNotMatch(details, /hush/);
    rmSync(rig.tokenFile);
    assert.equal((await refusal({ audience: ["db"] })).code, status.UNAVAILABLE);
    assert.deepEqual(rig.mints, []);
  });
});

describe("limits", () => {
  let held: WorkloadApiRig;
  before(async () => void (held = await WorkloadApiRig.start()));
  after(async () => held[Symbol.asyncDispose]());

  test("one request serves all who ask for the same at the same time", async () => {
    const svids = await Promise.all(Array.from({ length: 30 }, () => fetchSvid("db")));
    assert.equal(new Set(svids).size, 1);
    assert.equal(rig.mints.length, 1);
  });

  test("64 requests may wait for the server, and one more is Unavailable at once", async () => {
    held.answer = () => undefined;
    using patient = held.client();
    using stack = new DisposableStack();
    for (let at = 0; at < 64; at++) {
      stack.use(patient.open(fetchJWTSVID, { audience: [`a-${at}`] }));
    }
    for (const endMs = Date.now() + 4_000; held.mints.length < 64;) {
      assert.ok(Date.now() < endMs, `only ${held.mints.length} came`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const answer = patient.call(fetchJWTSVID, { audience: ["one-more"] });
    await assert.rejects(answer, { code: status.UNAVAILABLE, details: /too many/ });
  });

  test("audiences have 1,024 bytes at most, and an identity is a SPIFFE ID", async () => {
    await fetchSvid("x".repeat(1_024));
    const long = "\u00e9".repeat(513);
    assert.equal((await refusal({ audience: ["db", long] })).code, status.INVALID_ARGUMENT);
    const request = { audience: ["db"], spiffeId: "cart" };
    assert.equal((await refusal(request)).code, status.INVALID_ARGUMENT);
    assert.equal(rig.mints.length, 1);
  });
});
