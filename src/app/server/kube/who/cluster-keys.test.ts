import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { JwksSource } from "../../../../edge/authn/jwks.ts";
import { OddApiServer } from "../../../../../test/support/odd-api-server.ts";
import { jwksDocument, makeTokenKey } from "../../../../../test/support/tokens.ts";
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

describe("the keys of a cluster", () => {
  it("are read from the API server itself, wherever it says that others find them", async () => {
    let key = first;
    await using server = await serve({
      [discovery]: () =>
        JSON.stringify({ issuer: "https://issuer", jwks_uri: "https://elsewhere" }),
      [keys]: () => jwksDocument(key),
    });
    const { issuer, location } = await clusterKeys(server.connection, signal);
    assert.equal(issuer, "https://issuer");
    const options = { location, onEvent: () => {}, refreshGapMs: 0 };
    using source = await JwksSource.open(options, signal);
    assert.deepEqual(source.keySet.keyIds, ["first"]);
    key = second;
    assert.equal(await source.refresh(signal), true);
    assert.deepEqual(source.keySet.keyIds, ["second"]);
    assert.deepEqual(
      server.requests.map(({ pathname }) => pathname),
      [discovery, keys, keys],
    );
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
    const { location } = await clusterKeys(without.connection, signal);
    const opened = JwksSource.open({ location, onEvent: () => {} }, signal);
    await assert.rejects(opened, { code: "jwks-unreadable" });
  });

  it("are not more than a set of keys can be", async () => {
    await using server = await serve({
      [discovery]: () => '{"issuer":"https://issuer"}',
      [keys]: () => JSON.stringify({ keys: ["x".repeat(70_000)] }),
    });
    const { location } = await clusterKeys(server.connection, signal);
    const opened = JwksSource.open({ location, onEvent: () => {} }, signal);
    await assert.rejects(opened, { code: "jwks-too-large" });
  });
});
