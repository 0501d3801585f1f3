import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TrustDomain } from "../../../../core/spiffe/id.ts";
import { ClusterTokenAuthenticator } from "../../../../edge/authn/cluster-token-authenticator.ts";
import { JwksSource, type JwksEvent } from "../../../../edge/authn/jwks.ts";
import { isHealedByRefresh } from "../../../../edge/authn/token-authenticator.ts";
import { OddApiServer } from "../../../../../test/support/odd-api-server.ts";
import {
  jwksDocument,
  kubernetesClaims,
  makeTokenKey,
  signToken,
  TEST_NOW_MS,
} from "../../../../../test/support/tokens.ts";
import { clusterKeys } from "./cluster-keys.ts";

const { signal } = new AbortController();
const [first, second] = [makeTokenKey("RS256", "first"), makeTokenKey("RS256", "second")];

/** @param answers by path */
const serve = (answers: Readonly<Record<string, () => string>>): Promise<OddApiServer> =>
  OddApiServer.start(({ url = "" }, response) => {
    const body = answers[url]?.();
    response.writeHead(body === undefined ? 403 : 200, { "content-type": "application/json" });
    response.end(body ?? "{}");
  });

const discovery = "/.well-known/openid-configuration";
const keys = "/openid/v1/jwks";
const anyIssuer = (): void => {};

describe("the keys of a cluster", () => {
  it("are read from the API server itself, wherever it says that others find them", async () => {
    let key = first;
    await using server = await serve({
      [discovery]: () =>
        JSON.stringify({ issuer: "https://issuer", jwks_uri: "https://elsewhere" }),
      [keys]: () => jwksDocument(key),
    });
    const { issuers, locate } = await clusterKeys(server.connection, signal);
    assert.deepEqual(issuers, ["https://issuer"]);
    const options = { location: locate(anyIssuer), onEvent: () => {}, refreshGapMs: 0 };
    using source = await JwksSource.open(options, signal);
    assert.deepEqual(source.keySet.keyIds, ["first"]);
    key = second;
    assert.equal(await source.refresh(signal), true);
    assert.deepEqual(source.keySet.keyIds, ["second"]);
    const paths = server.requests.map(({ pathname }) => pathname);
    assert.deepEqual(paths.toSorted(), [discovery, discovery, discovery, keys, keys]);
  });

  it("are read with the issuer, which is now first, and with the last three that it was before", async () => {
    let issuer = "https://0";
    let isThere = true;
    await using server = await serve({
      [discovery]: () => JSON.stringify(isThere ? { issuer } : {}),
      [keys]: () => jwksDocument(first),
    });
    const known = await clusterKeys(server.connection, signal);
    const changes: boolean[] = [];
    const onEvent = (event: JwksEvent): void => {
      changes.push(event.kind === "loaded" && event.changed);
    };
    const options = { location: known.locate(anyIssuer), onEvent, refreshGapMs: 0 };
    using source = await JwksSource.open(options, signal);
    const after = async (next: string): Promise<readonly string[]> => {
      issuer = next;
      await source.refresh(signal);
      return known.issuers;
    };
    assert.deepEqual(await after("https://1"), ["https://1", "https://0"]);
    assert.deepEqual(await after("https://1"), ["https://1", "https://0"]);
    // As while some of several API servers have been changed.
    assert.deepEqual(await after("https://0"), ["https://0", "https://1"]);
    assert.deepEqual(changes, [true, true, false, true]);
    for (const next of ["https://2", "https://3", "https://4"]) await after(next);
    const last = ["https://4", "https://3", "https://2", "https://0"];
    assert.deepEqual(known.issuers, last);
    isThere = false;
    assert.equal(await source.refresh(signal), false);
    assert.deepEqual(known.issuers, last);
  });

  it("take no issuer that is refused, and none of its keys", async () => {
    let [issuer, key] = ["https://issuer", first];
    await using server = await serve({
      [discovery]: () => JSON.stringify({ issuer }),
      [keys]: () => jwksDocument(key),
    });
    const known = await clusterKeys(server.connection, signal);
    const location = known.locate((each) => {
      if (each !== "https://issuer") throw new RangeError("expected another issuer");
    });
    using source = await JwksSource.open({ location, onEvent: () => {}, refreshGapMs: 0 }, signal);
    [issuer, key] = ["https://dev", second];
    assert.equal(await source.refresh(signal), false);
    assert.deepEqual([known.issuers, source.keySet.keyIds], [["https://issuer"], ["first"]]);
  });

  it("are asked for an unknown issuer once for all, and not for a stranger's token", async () => {
    let issuer = "https://former";
    await using server = await serve({
      [discovery]: () => JSON.stringify({ issuer }),
      [keys]: () => jwksDocument(first),
    });
    const known = await clusterKeys(server.connection, signal);
    const location = known.locate(anyIssuer);
    using source = await JwksSource.open({ location, onEvent: () => {}, refreshGapMs: 0 }, signal);
    const trustDomain = TrustDomain.parse("example.com");
    const issuers = (): readonly string[] => known.issuers;
    const door = new ClusterTokenAuthenticator({ issuers, keys: source, trustDomain });
    const tokenOf = (iss: string, key = first): string =>
      signToken(key, { payload: kubernetesClaims({ iss }) });
    const ask = (token: string): string => door.authenticate(token, TEST_NOW_MS).id.toString();
    const cart = "spiffe://example.com/ns/shop/sa/cart";
    assert.equal(ask(tokenOf("https://former")), cart);
    issuer = "https://current";
    assert.throws(() => ask(tokenOf("https://current")), isHealedByRefresh);
    const asked = server.requests.length;
    const refreshed = Array.from({ length: 100 }, () => door.refreshKeys(signal));
    assert.ok((await Promise.all(refreshed)).every(Boolean));
    assert.equal(server.requests.length, asked + 2);
    for (const each of ["https://current", "https://former"])
      assert.equal(ask(tokenOf(each)), cart);
    assert.throws(() => ask(tokenOf("https://third")), {
      code: "token-issuer",
      message: 'expected issuer "https://current" or "https://former", got "https://third"',
    });
    assert.throws(() => ask(tokenOf("https://current", second)), { code: "token-key-unknown" });
    // While nobody says who the issuer is, it is not the token's fault.
    issuer = "";
    assert.equal(await door.refreshKeys(signal), false);
    assert.throws(() => ask(tokenOf("https://third")), { code: "keys-unavailable" });
    assert.equal(ask(tokenOf("https://former")), cart);
  });

  it("are none where the API server does not say whose, or does not let us read", async () => {
    for (const document of ["{}", "[]", '"x"', '{"issuer":""}', '{"issuer":1}']) {
      await using server = await serve({ [discovery]: () => document });
      const asked = clusterKeys(server.connection, signal);
      await assert.rejects(asked, { code: "kube-answer", hint: /--service-account-issuer/ });
    }
    await using closed = await serve({});
    const asked = clusterKeys(closed.connection, signal);
    await assert.rejects(asked, { code: "kube-forbidden" });
    await using without = await serve({ [discovery]: () => '{"issuer":"https://issuer"}' });
    const location = (await clusterKeys(without.connection, signal)).locate(anyIssuer);
    const opened = JwksSource.open({ location, onEvent: () => {} }, signal);
    await assert.rejects(opened, { code: "jwks-unreadable" });
  });

  it("are not more than a set of keys can be", async () => {
    await using server = await serve({
      [discovery]: () => '{"issuer":"https://issuer"}',
      [keys]: () => JSON.stringify({ keys: ["x".repeat(70_000)] }),
    });
    const location = (await clusterKeys(server.connection, signal)).locate(anyIssuer);
    const opened = JwksSource.open({ location, onEvent: () => {} }, signal);
    await assert.rejects(opened, { code: "jwks-too-large" });
  });
});
