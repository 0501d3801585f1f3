import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { describe, it } from "node:test";
import {
  listPage,
  OddApiServer,
  watchLine,
  type Answer,
} from "../../../../test/support/odd-api-server.ts";
import { watched, type Watched } from "../../../../test/support/watched.ts";
import type { KubeServiceAccount } from "../../../core/kube/service-account.ts";
import { serviceAccounts } from "../read/read-identities.ts";
import type { ReflectorTimings } from "./reflector-options.ts";

type Reply = (response: ServerResponse) => void;

const says =
  (text: string, status = 200): Reply =>
  (response) => {
    response.writeHead(status).end(text);
  };

/** It begins, and does not end. */
const streams =
  (...lines: readonly string[]): Reply =>
  (response) => {
    response.writeHead(200).write(lines.join("") || "\n");
  };

const cutsOff =
  (text: string): Reply =>
  (response) => {
    response.writeHead(200, { "content-length": "1000000" });
    response.write(text, () => response.destroy());
  };

/** The answers to lists and to watches, in turn; the last of each goes on. */
function server(lists: readonly Reply[], watches: readonly Reply[]): Promise<OddApiServer> {
  const counts = { list: 0, watch: 0 };
  const answer: Answer = ({ url = "" }, response) => {
    const [kind, all] = url.includes("watch=true")
      ? (["watch", watches] as const)
      : (["list", lists] as const);
    all[Math.min(counts[kind]++, all.length - 1)]?.(response);
  };
  return OddApiServer.start(answer);
}

function watching(
  { connection }: OddApiServer,
  timings: Partial<ReflectorTimings> = {},
): Watched<KubeServiceAccount> {
  return watched(connection, serviceAccounts, timings);
}

const namesOf = ({ cache }: Watched<KubeServiceAccount>): string[] =>
  Array.from(cache.values(), ({ name }) => name).toSorted();

const codesOf = ({ events }: Watched<KubeServiceAccount>): string[] =>
  events.flatMap((event) => (event.kind === "failed" ? [event.error.code] : []));

const error410 = `${JSON.stringify({ type: "ERROR", object: { code: 410, message: "too old" } })}\n`;

describe("what is no list is never a list of nothing", () => {
  const table: readonly (readonly [string, Reply])[] = [
    ["an empty object", says("{}")],
    ["no object", says("[]")],
    ["a page of a proxy", says("<html>")],
    ["nothing", says("")],
    ["a list without a version", says('{"metadata":{},"items":[]}')],
    ["a list without items", says('{"metadata":{"resourceVersion":"9"}}')],
    ["a list of something else", says('{"metadata":{"resourceVersion":"9"},"items":[1]}')],
    ["a list that is cut off", cutsOff('{"metadata":{"resourceVersion":"9"},"items":[')],
    ["a Status with 200", says('{"kind":"Status","status":"Failure","code":403}')],
    ["401", says("{}", 401)],
    ["403", says("{}", 403)],
    ["404", says("404 page not found", 404)],
    ["429", says("{}", 429)],
    ["500", says("{}", 500)],
    ["a page that is followed by none", says(listPage(["b"], "9", "more"))],
  ];
  for (const [what, reply] of table) {
    it(what, async () => {
      const page = says("{}", 500);
      const isFirstPage = what.startsWith("a page that");
      const lists = [says(listPage(["a", "b"], "1")), reply, ...(isFirstPage ? [page] : [])];
      await using odd = await server(lists, [streams(error410)]);
      await using accounts = watching(odd, { absentMs: 10_000 });
      await accounts.when("failed", 2);
      assert.deepEqual(namesOf(accounts), ["a", "b"]);
      assert.equal(accounts.batches.length, 1);
      assert.notEqual(accounts.state.failure, undefined);
    });
  }

  it("but a list of nothing is, also as Go writes it", async () => {
    const empty = says('{"metadata":{"resourceVersion":"9"},"items":null}');
    const lists = [says(listPage(["a"], "1")), empty];
    await using odd = await server(lists, [streams(error410), streams()]);
    await using accounts = watching(odd);
    await accounts.when("listed", 2);
    assert.deepEqual(namesOf(accounts), []);
  });
});

describe("a watch", () => {
  const list = says(listPage(["a"], "1"));

  it("goes on from the last version that it has heard of, a bookmark's too", async () => {
    const first = streams(watchLine("ADDED", "b", "5"), watchLine("BOOKMARK", "", "7"));
    const ends: Reply = (response) => {
      first(response);
      response.end();
    };
    await using odd = await server([list], [ends, streams()]);
    await using accounts = watching(odd);
    await accounts.when("watching", 2);
    const versions = odd.requests.flatMap(({ searchParams }) =>
      searchParams.has("watch") ? [searchParams.get("resourceVersion")] : [],
    );
    assert.deepEqual(versions, ["1", "7"]);
    assert.deepEqual([namesOf(accounts), codesOf(accounts)], [["a", "b"], []]);
  });

  it("takes nothing of an event that is cut off, and hears it again", async () => {
    const b = watchLine("ADDED", "b", "5");
    const cut = cutsOff(watchLine("DELETED", "a", "4") + b.slice(0, 20));
    await using odd = await server([list], [cut, streams(b)]);
    await using accounts = watching(odd);
    await accounts.until(() => namesOf(accounts).includes("b"));
    const last = odd.requests.at(-1)?.searchParams.get("resourceVersion");
    assert.deepEqual([namesOf(accounts), last], [["b"], "4"]);
  });

  const nonsense: readonly (readonly [string, string])[] = [
    ["no JSON", "x\n"],
    ["no object", "1\n"],
    ["an unknown type", watchLine("RENAMED", "a", "5")],
    ["no version", '{"type":"DELETED","object":{"metadata":{"name":"a","namespace":"shop"}}}\n'],
    ["no object in it", '{"type":"DELETED"}\n'],
  ];
  for (const [what, line] of nonsense) {
    it(`that says nonsense (${what}) changes nothing and begins again`, async () => {
      await using odd = await server([list], [streams(line), streams()]);
      await using accounts = watching(odd);
      await accounts.when("watching", 2);
      assert.deepEqual([namesOf(accounts), codesOf(accounts)], [["a"], ["kube-answer"]]);
    });
  }

  it("that is silent is cut, and begins again from there", async () => {
    await using odd = await server([list], [streams(watchLine("ADDED", "b", "5")), streams()]);
    await using accounts = watching(odd, { idleMs: 100 });
    await accounts.when("watching", 2);
    assert.deepEqual(codesOf(accounts), ["kube-unreachable"]);
    assert.ok(accounts.events.some((event) => event.kind === "failed" && event.hasStood));
    assert.equal(odd.requests.at(-1)?.searchParams.get("resourceVersion"), "5");
  });

  it("that is cut leaves what was known until then as current as it was", async () => {
    const broken = says("{}", 503);
    await using odd = await server([list], [streams(), broken]);
    const aliveMs = performance.now() + 60_000;
    await using accounts = watched(odd.connection, serviceAccounts, { idleMs: 100 }, () => aliveMs);
    await accounts.when("failed");
    assert.deepEqual([accounts.state.openedMs, accounts.state.heardMs], [undefined, aliveMs]);
  });

  it("that stood for a while is begun again soon, whatever was before it", async () => {
    const broken = says("{}", 503);
    const silent: Reply = (response) => response.writeHead(200).flushHeaders();
    await using odd = await server([list], [broken, broken, silent]);
    await using accounts = watching(odd, { idleMs: 1_100 });
    await accounts.when("failed", 3);
    const waits = accounts.events.flatMap((event) =>
      event.kind === "failed" ? [event.retryMs] : [],
    );
    assert.deepEqual(waits, [250, 500, 250]);
    const stood = accounts.events.flatMap((event) =>
      event.kind === "failed" ? [event.hasStood] : [],
    );
    assert.deepEqual(stood, [false, false, true]);
  });

  it("whose version is always gone lists again at once, once, and then with patience", async () => {
    await using odd = await server([list], [streams(error410)]);
    await using accounts = watching(odd);
    await accounts.when("failed", 3);
    const waits = accounts.events.flatMap((event) =>
      event.kind === "failed" ? [event.retryMs] : [],
    );
    assert.deepEqual(waits, [0, 250, 500]);
  });

  it("that ends as soon as it begins is not begun in a hurry", async () => {
    await using odd = await server([list], [says("")]);
    await using accounts = watching(odd);
    await accounts.when("failed", 2);
    assert.deepEqual(codesOf(accounts), ["kube-unavailable", "kube-unavailable"]);
    assert.equal(odd.requests.filter(({ searchParams }) => searchParams.has("watch")).length, 2);
  });

  it("keeps the last good one of what it cannot read, by an event and by a list", async () => {
    const unreadable =
      '{"type":"MODIFIED","object":{"metadata":{"name":"a","namespace":"shop","resourceVersion":"5"}}}\n';
    const without =
      '{"metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"a","namespace":"shop"}}]}';
    await using odd = await server(
      [list, says(without)],
      [streams(unreadable + error410), streams()],
    );
    await using accounts = watching(odd);
    await accounts.when("listed", 2);
    assert.deepEqual([namesOf(accounts), accounts.state.unreadable], [["a"], 1]);
  });

  it("asks for a list again of an API server that was away for long: its past may be another", async () => {
    const broken = says("{}", 503);
    await using odd = await server([list], [broken, broken, streams()]);
    await using accounts = watching(odd, { awayMs: 300 });
    await accounts.when("watching");
    assert.equal(accounts.events.filter(({ kind }) => kind === "listed").length, 2);
  });

  it("ends with its owner in the middle of anything", async () => {
    const moments: readonly (readonly [Reply, Reply])[] = [
      [list, streams()],
      [() => {}, streams()],
      [says("{}", 500), streams()],
    ];
    for (const [listed, watch] of moments) {
      await using odd = await server([listed], [watch]);
      const accounts = watching(odd);
      await accounts.until(() => odd.requests.length > 0);
      await accounts[Symbol.asyncDispose]();
    }
  });
});
