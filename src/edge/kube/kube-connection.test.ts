import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OddApiServer, type Answer } from "../../../test/support/odd-api-server.ts";
import { KubeConnection } from "./kube-connection.ts";
import { KubeError, type KubeErrorCode } from "./kube-error.ts";

const request = { path: "/x" } as const;
const answers: Answer = (_, response) => void response.end("{}");

function fails(code: KubeErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof KubeError && error.code === code;
}

/** Answers the first request of a connection, and ends it without a word at its second. */
const forgets: Answer = (request, response) => {
  const { socket } = request;
  if (seen.has(socket)) socket.destroy();
  else answers(request, response);
  seen.add(socket);
};
const seen = new WeakSet<object>();

describe("a connection that the other side has forgotten", () => {
  it("loses no question", async () => {
    await using odd = await OddApiServer.start(forgets);
    for (let times = 0; times < 5; times++) await odd.connection.send(request);
    assert.equal(odd.requests.length, 9);
  });

  it("loses what must not be done twice: nobody knows whether it was done", async () => {
    await using odd = await OddApiServer.start(forgets);
    const post = { ...request, method: "POST", body: {} } as const;
    await odd.connection.send(post);
    await assert.rejects(odd.connection.send(post), fails("kube-unreachable"));
    assert.equal(odd.requests.length, 2);
  });
});

describe("an answer", () => {
  const table: readonly (readonly [string, KubeErrorCode, Answer])[] = [
    ["that is no JSON", "kube-answer", (_, response) => void response.end("<html>")],
    ["that is empty", "kube-answer", (_, response) => void response.end()],
    [
      "that is cut off",
      "kube-unreachable",
      (_, response) => {
        response.writeHead(200, { "content-length": "10" });
        response.write("{", () => response.destroy());
      },
    ],
    [
      "of somewhere else",
      "kube-answer",
      (_, response) => void response.writeHead(302, { location: "/y" }).end(),
    ],
    ["that does not come", "kube-unreachable", () => {}],
    [
      "that does not end",
      "kube-unreachable",
      (_, response) => void response.writeHead(200).write("{"),
    ],
  ];
  for (const [what, code, answer] of table) {
    it(`${what} is ${code}`, async () => {
      await using odd = await OddApiServer.start(answer);
      await assert.rejects(odd.connection.send({ ...request, deadlineMs: 200 }), fails(code));
      assert.equal(odd.connection.inFlight, 0);
      assert.equal(odd.requests.length, 1);
    });
  }
});

it("asks once more with the credentials of now when those of before are refused", async () => {
  const tokens = ["old", "new"];
  await using odd = await OddApiServer.start(({ headers }, response) => {
    response.writeHead(headers.authorization === "new" ? 200 : 401).end("{}");
  });
  const { server } = odd.connection;
  const credentials = async () => ({
    headers: { authorization: tokens.shift() ?? "new" },
    tls: {},
  });
  using connection = new KubeConnection({ access: { server, credentials } });
  await connection.send(request);
  await connection.send(request);
  assert.equal(odd.requests.length, 3);
});

it("keeps its credentials while their files cannot be read", async () => {
  await using odd = await OddApiServer.start((_, response) => void response.writeHead(401).end());
  const { server } = odd.connection;
  let reads = 0;
  const credentials = async () => {
    if (reads++ > 0) throw new KubeError("kube-config", "gone");
    return { headers: {}, tls: {} };
  };
  using connection = new KubeConnection({ access: { server, credentials } });
  await assert.rejects(connection.send(request), fails("kube-unauthorized"));
  assert.deepEqual([odd.requests.length, reads], [2, 2]);
});

it("says why its credentials are old when these are refused, until they can be read again", async () => {
  await using odd = await OddApiServer.start((_, response) => void response.writeHead(401).end());
  let isThere = true;
  const credentials = async () => {
    if (isThere) return { headers: { authorization: "Bearer a" }, tls: {} };
    throw new KubeError("kube-config", "cannot read /run/token: EACCES");
  };
  using connection = new KubeConnection({ access: { server: odd.connection.server, credentials } });
  const hintOf = async (): Promise<string> => {
    const refused = await connection.send(request).catch((error: unknown) => error);
    assert.ok(refused instanceof KubeError && refused.code === "kube-unauthorized");
    return refused.hint ?? "";
  };
  assert.match(await hintOf(), /see the pod's token$/);
  isThere = false;
  assert.match(await hintOf(), /they are those of before: cannot read \/run\/token: EACCES$/);
  isThere = true;
  assert.match(await hintOf(), /see the pod's token$/);
});

it("is asked under the path of its URL, as behind a proxy of many clusters", async () => {
  await using odd = await OddApiServer.start(answers);
  const server = new URL("/k8s/clusters/c-1/", odd.connection.server);
  const credentials = async () => ({ headers: {}, tls: {} });
  using connection = new KubeConnection({ access: { server, credentials } });
  await connection.send({ path: "/api/v1/pods?limit=1" });
  assert.equal(
    `${odd.requests[0]?.pathname}${odd.requests[0]?.search}`,
    "/k8s/clusters/c-1/api/v1/pods?limit=1",
  );
});

it("has places for the trust and for lists while strangers' tokens have taken all of theirs", async () => {
  await using odd = await OddApiServer.start(({ url = "" }, response) => {
    if (!url.startsWith("/reviews")) response.end("{}");
  });
  const { connection } = odd;
  const stop = new AbortController();
  const { signal } = stop;
  const full = { reviews: 160, operators: 50 } as const;
  const floods = (["reviews", "operators"] as const).map((lane) =>
    Array.from({ length: 300 }, () =>
      connection.send({ path: "/reviews", lane, signal, deadlineMs: 60_000 }).then(
        () => "answered",
        (error: unknown) => (error instanceof KubeError ? error.code : "stopped"),
      ),
    ),
  );
  await Promise.all(
    (["trust", "common"] as const).map((lane) => connection.send({ path: "/x", lane })),
  );
  stop.abort(new Error("stopped"));
  for (const [at, lane] of (["reviews", "operators"] as const).entries()) {
    const codes = await Promise.all(floods[at] ?? []);
    assert.equal(codes.filter((code) => code === "stopped").length, full[lane]);
    assert.equal(codes.filter((code) => code === "kube-busy").length, 300 - full[lane]);
  }
});

it("ends all that is under way when it is closed", async () => {
  await using odd = await OddApiServer.start(() => {});
  const ends = assert.rejects(odd.connection.send(request), fails("kube-unreachable"));
  await new Promise(setImmediate);
  odd.connection[Symbol.dispose]();
  await ends;
});

describe("whoever stops", () => {
  /** Each step on the way to an answer takes some turns of the queue of microtasks. */
  const turns = 40;

  for (const kind of ["a request", "a stream"] as const) {
    it(`is out of ${kind} at once, in whatever step it is`, async () => {
      await using odd = await OddApiServer.start(() => {});
      for (let turn = 0; turn < turns; turn++) {
        const stop = new AbortController();
        const { signal } = stop;
        const answer =
          kind === "a request"
            ? odd.connection.send({ ...request, signal, deadlineMs: 60_000 })
            : odd.connection.open({ ...request, signal, deadlineMs: 60_000, idleMs: 60_000 });
        const stopped = assert.rejects(answer, /stopped/);
        for (let at = 0; at < turn; at++) await Promise.resolve();
        stop.abort(new Error("stopped"));
        await stopped;
      }
      assert.equal(odd.connection.inFlight, 0);
    });
  }
});
