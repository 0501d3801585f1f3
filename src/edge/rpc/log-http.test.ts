import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { after, before, describe, it } from "node:test";
import { addCertificates, logVerifier, openStore } from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { openCheckpoint } from "../../core/log/checkpoint.ts";
import { Frontier } from "../../core/log/merkle.ts";
import type { LogStore } from "../log/log-store.ts";
import { serveLog, type LogHttpSource } from "./log-http.ts";

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

const directory = temporaryDirectory();
let store: LogStore;
let source: LogHttpSource | undefined;
const server = createServer((req, res) => {
  if (!serveLog(() => source, req, res)) res.writeHead(204).end();
});

before(async () => {
  store = await openStore(directory.path);
  await addCertificates(store, 0, 300);
  source = store.reader;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await store[Symbol.asyncDispose]();
  directory[Symbol.dispose]();
});

/** The path as it is: `fetch` would tidy it. */
async function ask(path: string, method = "GET"): Promise<Answer> {
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const call = request({ host: "127.0.0.1", port, path, method });
  call.end();
  const [response] = await once(call, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const { statusCode: status, headers } = response;
  return { status, headers, body: Buffer.concat(chunks) };
}

describe("the log over HTTP", () => {
  it("gives the checkpoint, which is not to be cached", async () => {
    const { status, headers, body } = await ask("/log/checkpoint");
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(headers["cache-control"], "no-cache");
    assert.equal(openCheckpoint(body.toString(), [logVerifier]).size, 601);
  });

  it("gives tiles that lead to the root of the checkpoint", async () => {
    const { body: note } = await ask("/log/checkpoint");
    const { root } = openCheckpoint(note.toString(), [logVerifier]);
    const tree = Frontier.of(0, []);
    for (const path of ["000", "001", "002.p/89"]) {
      const { status, headers, body } = await ask(`/log/tile/0/${path}`);
      assert.equal(status, 200);
      assert.equal(headers["content-type"], "application/octet-stream");
      for (let at = 0; at < body.length; at += 32) tree.append(body.subarray(at, at + 32));
    }
    assert.equal(tree.size, 601);
    assert.deepEqual(Buffer.from(tree.root()), Buffer.from(root));
  });

  it("lets full tiles be kept for ever, and partial ones for a while", async () => {
    const full = await ask("/log/tile/0/001");
    assert.equal(full.body.length, 8_192);
    assert.equal(full.headers["cache-control"], "public, max-age=31536000, immutable");
    const partial = await ask("/log/tile/1/000.p/2");
    assert.equal(partial.body.length, 64);
    assert.equal(partial.headers["cache-control"], "public, max-age=60");
  });

  it("gives the beginning of a tile that is wider by now", async () => {
    const { body } = await ask("/log/tile/0/000.p/7");
    assert.deepEqual(body, (await ask("/log/tile/0/000")).body.subarray(0, 7 * 32));
  });

  it("answers HEAD as GET without the body", async () => {
    const { status, headers, body } = await ask("/log/tile/0/000", "HEAD");
    assert.deepEqual([status, headers["content-length"], body.length], [200, "8192", 0]);
  });

  it("keeps entries for operators, whether they are there or not", async () => {
    for (const path of ["000", "000.p/5", "x009/000"]) {
      const { status, body } = await ask(`/log/tile/entries/${path}`);
      assert.equal(status, 403);
      assert.match(body.toString(), /^entries are for operators: /);
    }
  });

  const unknown: readonly string[] = [
    "/log/",
    "/log/checkpoint/",
    "/log/checkpoint?x",
    "/log/Checkpoint",
    "/log//checkpoint",
    "/log/../log/checkpoint",
    "/log/%63heckpoint",
    "/log/tile/0/002",
    "/log/tile/0/002.p/90",
    "/log/tile/0/003.p/1",
    "/log/tile/1/000",
    "/log/tile/1/000.p/3",
    "/log/tile/2/000.p/1",
    "/log/tile/63/x009/x007/x199/x254/x740/991",
    "/log/tile/0/0",
    "/log/tile/00/000",
    "/log/tile/64/000",
    "/log/tile/0/000.p/256",
    "/log/tile/0/000.p/0",
    "/log/tile/0/000?a=b",
    `/log/tile/0/${"x000/".repeat(1_000)}000`,
  ];
  for (const path of unknown) {
    it(`says 404, not to be kept, to ${path.slice(0, 60)}`, async () => {
      const { status, headers } = await ask(path);
      assert.deepEqual([status, headers["cache-control"]], [404, "no-store"]);
    });
  }

  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    it(`refuses ${method}`, async () => {
      const { status, headers } = await ask("/log/checkpoint", method);
      assert.deepEqual([status, headers["allow"]], [405, "GET, HEAD"]);
    });
  }

  it("leaves every other path to others", async () => {
    for (const path of ["/", "/log", "/logs", "/metrics", "/x/log/checkpoint"]) {
      assert.equal((await ask(path)).status, 204);
    }
  });

  it("says 503 before the log is open, and 500 without a word of why when it cannot be read", async () => {
    try {
      source = undefined;
      assert.equal((await ask("/log/checkpoint")).status, 503);
      const fail = (): never => {
        throw new Error("/secret/path: broken");
      };
      source = { head: fail, tile: fail };
      for (const path of ["/log/checkpoint", "/log/tile/0/000"]) {
        const { status, body } = await ask(path);
        assert.deepEqual([status, body.toString()], [500, "the log cannot be read\n"]);
      }
    } finally {
      source = store.reader;
    }
  });
});
