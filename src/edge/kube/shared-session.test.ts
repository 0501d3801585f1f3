import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer as createHttpsServer, type Server } from "node:https";
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { after, afterEach, before, describe, it } from "node:test";
import { makePki, type ClusterPki } from "../../../test/kube/pki.ts";
import type { KubeCredentials, KubeTls } from "./kube-access.ts";
import { KubeConnection } from "./kube-connection.ts";
import { KubeError } from "./kube-error.ts";
import { LivenessProbe } from "./liveness-probe.ts";

const never = new AbortController().signal;
const watch = { path: "/watch?watch=true", idleMs: 10_000, signal: never } as const;
const lasting = { ...watch, idleMs: 600_000 } as const;

describe("the connection that watches share", () => {
  let directory: string;
  let pki: ClusterPki;
  let files: { readonly cert: Buffer; readonly key: Buffer };

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "portcullis-shared-"));
    pki = await makePki(directory);
    const [cert, key] = await Promise.all([readFile(pki.serverCert), readFile(pki.serverKey)]);
    files = { cert, key };
  });

  after(async () => rm(directory, { recursive: true }));

  const opened: TcpServer[] = [];
  /** What our files have now, in the place of what they had. */
  let current: KubeCredentials | undefined;
  /** Of the next request alone. */
  let isRefused = false;
  const sockets = new Set<Socket>();

  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of opened.splice(0)) server.close();
    sockets.clear();
    current = undefined;
  });

  const connectionTo = async (server: TcpServer, tls: KubeTls = { ca: pki.caPem }) => {
    opened.push(server);
    server.on("connection", (socket) => sockets.add(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const access = {
      server: new URL(`https://127.0.0.1:${port}`),
      credentials: async () => current ?? { headers: { authorization: "Bearer t" }, tls },
    };
    return new KubeConnection({ access });
  };

  /** Watches begin with a line and go on; whatever else is answered. */
  const http2Server = (): { server: Http2SecureServer; sessions: ServerHttp2Session[] } => {
    const sessions: ServerHttp2Session[] = [];
    const server = createSecureServer(files);
    server.on("session", (session) => sessions.push(session));
    server.on("stream", (stream: ServerHttp2Stream, headers) => {
      stream.on("error", () => {});
      const status = isRefused ? 401 : 200;
      isRefused = false;
      stream.respond({ ":status": status });
      if (status === 401) stream.end("no");
      else if (headers[":path"]?.startsWith("/watch") === true) stream.write("line\n");
      else stream.end("ok");
    });
    return { server, sessions };
  };

  const first = async (stream: AsyncIterable<Uint8Array>): Promise<AsyncIterator<Uint8Array>> => {
    const chunks = stream[Symbol.asyncIterator]();
    const { value } = await chunks.next();
    assert.equal(Buffer.from(value).toString(), "line\n");
    return chunks;
  };

  const isUnreachable = (error: unknown): boolean =>
    error instanceof KubeError && error.code === "kube-unreachable";

  it("is one for all of them and for the question whether the API server lives", async () => {
    const { server, sessions } = http2Server();
    using connection = await connectionTo(server);
    for (const stream of await Promise.all([1, 2, 3].map(() => connection.open(watch))))
      await first(stream);
    await connection.ask("/livez", 1_000);
    assert.equal(sessions.length, 1);
  });

  it("is another one after the server has said that it ends, and nothing stays on the first one", async () => {
    const { server, sessions } = http2Server();
    using connection = await connectionTo(server);
    const before = await first(await connection.open(lasting));
    const [session] = sessions;
    // As Go does it: what is under way may end.
    session?.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1);
    // Behind the same address may be another server now: whether that lives says nothing of the first.
    const end = assert.rejects(before.next(), isUnreachable);
    await connection.ask("/livez", 1_000);
    await end;
    await first(await connection.open(watch));
    assert.equal(sessions.length, 2);
  });

  it("fails all of them when it breaks, and the next get another one", async () => {
    const { server, sessions } = http2Server();
    using connection = await connectionTo(server);
    const streams = await Promise.all([1, 2].map(async () => first(await connection.open(watch))));
    const ends = streams.map((chunks) => assert.rejects(chunks.next(), isUnreachable));
    for (const socket of sockets) socket.destroy();
    await Promise.all(ends);
    await first(await connection.open(watch));
    assert.equal(sessions.length, 2);
  });

  it("is left after five questions without an answer", async () => {
    const { server, sessions } = http2Server();
    server.removeAllListeners("stream").on("stream", (stream: ServerHttp2Stream, headers) => {
      stream.on("error", () => {});
      if (headers[":path"]?.startsWith("/watch") !== true) return;
      stream.respond({ ":status": 200 });
      stream.write("line\n");
    });
    using connection = await connectionTo(server);
    const chunks = await first(await connection.open(watch));
    const end = assert.rejects(chunks.next(), isUnreachable);
    for (let times = 0; times < 5; times++) {
      await assert.rejects(connection.ask("/livez", 20), isUnreachable);
    }
    await end;
    await first(await connection.open(watch));
    assert.equal(sessions.length, 2);
  });

  it("lets one be silent for as long as it is known to live", async () => {
    const { server, sessions } = http2Server();
    using connection = await connectionTo(server);
    let asked = 0;
    const isAlive = (): boolean => ++asked < 4;
    const silent = await first(await connection.open({ ...watch, idleMs: 30, isAlive }));
    await assert.rejects(silent.next(), isUnreachable);
    assert.deepEqual([asked, sessions.length], [4, 1]);
  });

  it("ends one alone that is silent, or that nobody wants any more", async () => {
    const { server, sessions } = http2Server();
    using connection = await connectionTo(server);
    const silent = await first(await connection.open({ ...watch, idleMs: 50 }));
    const stop = new AbortController();
    const stopped = await first(await connection.open({ ...watch, signal: stop.signal }));
    const other = await first(await connection.open(watch));
    await assert.rejects(silent.next(), isUnreachable);
    const end = assert.rejects(stopped.next(), /stopped/);
    stop.abort(new Error("stopped"));
    await end;
    await other.return?.();
    await connection.ask("/livez", 1_000);
    assert.equal(sessions.length, 1);
  });

  it("keeps nobody who stops, in whatever step he is", async () => {
    const { server } = http2Server();
    server.removeAllListeners("stream").on("stream", (stream: ServerHttp2Stream) => {
      stream.on("error", () => {});
    });
    using connection = await connectionTo(server);
    for (let turn = 0; turn < 40; turn++) {
      const stop = new AbortController();
      const answer = connection.open({ ...watch, signal: stop.signal, deadlineMs: 60_000 });
      const stopped = assert.rejects(answer, /stopped/);
      for (let at = 0; at < turn; at++) await Promise.resolve();
      stop.abort(new Error("stopped"));
      await stopped;
    }
  });

  it("is none with a server that speaks HTTP/1.1 only: each has its own", async () => {
    const server: Server = createHttpsServer(files, ({ url }, response) => {
      if (url?.startsWith("/watch") === true) response.write("line\n");
      else response.end("ok");
    });
    using connection = await connectionTo(server);
    let connections = 0;
    server.on("connection", () => connections++);
    await first(await connection.open(watch));
    await first(await connection.open(watch));
    await connection.ask("/livez", 1_000);
    await connection.ask("/livez", 1_000);
    assert.equal(connections, 4);
  });

  it("is none with a server that speaks HTTP/1.1 only: that one answers says nothing of the other", async () => {
    const alive = async (server: TcpServer): Promise<readonly unknown[]> => {
      using connection = await connectionTo(server);
      await using probe = new LivenessProbe({ connection, nowMs: () => 7, intervalMs: 5 });
      const until = performance.now() + 300;
      while (probe.aliveMs === undefined && performance.now() < until) await setTimeout(5);
      return [probe.aliveMs, probe.problem?.reason];
    };
    assert.deepEqual(await alive(http2Server().server), [7, undefined]);
    const old = createHttpsServer(files, (_, response) => void response.end("ok"));
    assert.deepEqual(await alive(old), [undefined, "no-http2"]);
  });

  it("is another one with another certificate of ours, and nothing stays on the first one", async () => {
    const { server, sessions } = http2Server();
    using connection = await connectionTo(server, { ca: pki.caPem });
    const before = await first(await connection.open(lasting));
    const { adminCertPem: cert, adminKeyPem: key } = pki;
    current = { headers: { authorization: "Bearer t" }, tls: { ca: pki.caPem, cert, key } };
    isRefused = true;
    const end = assert.rejects(before.next(), isUnreachable);
    await first(await connection.open(watch));
    await end;
    await connection.ask("/livez", 1_000);
    assert.equal(sessions.length, 2);
  });

  it("does not wait for a server that takes connections and says nothing", async () => {
    const server = createTcpServer();
    using connection = await connectionTo(server);
    await assert.rejects(connection.open({ ...watch, deadlineMs: 50 }), isUnreachable);
  });

  it("takes nothing of a server of another CA", async () => {
    const { server } = http2Server();
    using connection = await connectionTo(server, {});
    await assert.rejects(connection.open(watch), /certificate/);
  });
});
