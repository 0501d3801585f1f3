import assert from "node:assert/strict";
import { generateKeyPairSync, verify } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import type { ServerHttp2Stream } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { IstioCertificateRequestSchema } from "../src/gen/istio/v1/auth/ca_pb.ts";
import { writeCorpus } from "./corpus.ts";
import type { LoadOptions, LoadOutcome } from "./load.ts";
import { buildLoad, LoadError, parseLoadOutcome, runLoad } from "./load.ts";
import type { Answer, StubCa, StubCaOptions } from "./stub-ca.ts";
import { frameChain, refuse, reply, startStubCa } from "./stub-ca.ts";

const RECORDS = 240;
const chain = frameChain();
const { privateKey: signingKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

const { binary, skip } = await buildOrSkip();
let directory = "";
let requestsFile = "";

describe("the load generator", { skip, timeout: 60_000 }, () => {
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "portcullis-load-"));
    requestsFile = join(directory, "requests");
    await writeCorpus({
      file: requestsFile,
      records: RECORDS,
      workloads: 20,
      seed: 1,
      trustDomain: "example.org",
      tokens: {
        signingKey,
        keyId: "key",
        issuer: "https://issuer.example.org",
        audience: "istio-ca",
        nowMs: Date.now(),
        ttlSeconds: 600,
      },
    });
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it("sends each record once, with its token whole", async () => {
    const tokens = new Set<string>();
    const csrs = new Set<string>();
    const answer: Answer = (stream, message, headers) => {
      tokens.add(String(headers.authorization));
      csrs.add(fromBinary(IstioCertificateRequestSchema, message).csr);
      assert.equal(headers[":path"], "/istio.v1.auth.IstioCertificateService/CreateCertificate");
      assert.equal(headers["content-type"], "application/grpc");
      assert.equal(headers["te"], "trailers");
      reply(stream, chain);
    };
    const { outcome, seen } = await load(answer, { fresh: true });
    assertAllAnswered(outcome);
    assert.equal(tokens.size, RECORDS);
    assert.equal(csrs.size, 20);
    assert.ok([...tokens].every(isSigned));
    assert.equal(seen.sessions, 4);
    assert.ok(outcome.p50Ms > 0 && outcome.p50Ms <= outcome.p99Ms);
    assert.ok(outcome.p99Ms <= outcome.maxMs && outcome.maxMs <= outcome.seconds * 1000);
  });

  it("leaves out the records to skip and cycles through the rest", async () => {
    const tokens = new Set<string>();
    const answer: Answer = (stream, _message, headers) => {
      tokens.add(String(headers.authorization));
      reply(stream, chain);
    };
    const { outcome } = await load(answer, { skip: RECORDS - 10 });
    assertAllAnswered(outcome);
    assert.equal(tokens.size, 10);
  });

  it("makes a full handshake for each request in reconnect mode", async () => {
    const { outcome, seen } = await load((stream) => reply(stream, chain), {
      mode: "reconnect",
      count: 40,
    });
    assertAllAnswered(outcome, 40);
    assert.equal(outcome.connections, 40);
    assert.deepEqual(seen, { sessions: 40, resumed: 0 });
  });

  it("counts refusals by the name of their status and keeps the first message", async () => {
    let seen = 0;
    const { outcome } = await load((stream) =>
      ++seen % 10 === 0 ? refuse(stream, 7, "not yours: 100 %") : reply(stream, chain),
    );
    assert.equal(outcome.ok, RECORDS * 0.9);
    assert.deepEqual([...outcome.failed], [["PERMISSION_DENIED", RECORDS * 0.1]]);
    assert.equal(outcome.firstError, "PERMISSION_DENIED: not yours: 100 %");
  });

  const brokenReplies: [string, (stream: ServerHttp2Stream) => void, string][] = [
    ["an empty reply", (s) => reply(s, Buffer.alloc(5)), "BAD_REPLY"],
    ["a chain without a root", (s) => reply(s, frameChain(1)), "BAD_REPLY"],
    ["a chain of stumps", (s) => reply(s, frameChain(2, 20)), "BAD_REPLY"],
    ["a reply that is cut short", (s) => reply(s, chain.subarray(0, -1)), "BAD_REPLY"],
    ["a message that is missing", (s) => reply(s, Buffer.alloc(0)), "BAD_REPLY"],
    ["an unknown status", (s) => reply(s, chain, "99"), "STATUS_99"],
    ["a reply without a status", endWithoutStatus, "BAD_REPLY"],
    ["an HTTP error", (s) => s.respond({ ":status": 503 }, { endStream: true }), "HTTP_STATUS"],
    ["a stream that is reset", (s) => s.close(2), "STREAM_RESET"],
  ];
  for (const [title, answer, code] of brokenReplies) {
    it(`counts ${title} as ${code}`, async () => {
      const { outcome } = await load(answer, { count: 30 });
      assert.equal(outcome.ok, 0);
      assert.deepEqual([...outcome.failed], [[code, 30]]);
      assert.match(outcome.firstError, new RegExp(`^${code}`));
    });
  }

  it("counts whatever a lost connection leaves without an answer", async () => {
    const { outcome } = await load((stream) => stream.session?.destroy(), { count: 30 });
    assert.equal(outcome.ok, 0);
    // The server says how far it came before it hangs up, so some calls move on and are turned away
    // again.
    const [lost, turnedAway] = ["CONNECTION", "GOAWAY"].map(
      (code) => outcome.failed.get(code) ?? 0,
    );
    assert.equal((lost ?? 0) + (turnedAway ?? 0), 30);
    assert.ok(lost !== 0);
  });

  it("moves to a new connection on GOAWAY without losing or repeating a request", async () => {
    const answered: string[] = [];
    const { outcome } = await load(
      (stream, _message, headers) => {
        const last = 41;
        if ((stream.id ?? 0) > last) return; // promised to be left untouched
        answered.push(String(headers.authorization));
        if (stream.id === last) stream.session?.goaway(0, last);
        reply(stream, chain);
      },
      { fresh: true },
    );
    assertAllAnswered(outcome);
    assert.ok(outcome.connections > 4);
    assert.equal(answered.length, RECORDS);
    assert.equal(new Set(answered).size, RECORDS);
  });

  it("gives up on a server that turns every connection away", async () => {
    const { outcome } = await load(
      (stream) => reply(stream, chain),
      { count: 30 },
      { onSession: (session) => session.goaway() },
    );
    assert.deepEqual([...outcome.failed], [["GOAWAY", 30]]);
  });

  it("answers PING", async () => {
    let pings = 0;
    const { outcome } = await load(
      (stream) => {
        stream.session?.ping((error) => {
          if (error === null) pings++;
          reply(stream, chain);
        });
      },
      { count: 8 },
    );
    assertAllAnswered(outcome, 8);
    assert.equal(pings, 8);
  });

  it("gives credit back for replies beyond the connection's window", async () => {
    const large = frameChain(2, 100_000);
    const { outcome } = await load((stream) => reply(stream, large), { connections: 1, count: 60 });
    assertAllAnswered(outcome, 60);
  });

  it("keeps to the streams that the server allows", async () => {
    const settings = { maxConcurrentStreams: 1 };
    const { outcome } = await load((stream) => reply(stream, chain), {}, { settings });
    assertAllAnswered(outcome);
  });

  it("sends no request that the server's window does not take", async () => {
    const settings = { initialWindowSize: 100 };
    const { outcome } = await load((stream) => reply(stream, chain), { count: 20 }, { settings });
    assert.deepEqual([...outcome.failed], [["REQUEST_TOO_LARGE", 20]]);
  });

  it("fails if there are not enough fresh records", async () => {
    const run = load((stream) => reply(stream, chain), { fresh: true, skip: 1 });
    await assert.rejects(run, { name: "LoadError", code: "load-run-failed" });
  });

  it("fails if the server cannot be verified", async () => {
    const run = load((stream) => reply(stream, chain), { serverName: "other.example.org" });
    await assert.rejects(run, { name: "LoadError", code: "load-run-failed" });
  });
});

describe("parseLoadOutcome", () => {
  for (const json of ["", "[]", "null", "{}", '{"ok": "1"}']) {
    it(`refuses ${JSON.stringify(json)}`, () => {
      assert.throws(() => parseLoadOutcome(json), { code: "load-outcome-malformed" });
    });
  }
});

async function load(
  answer: Answer,
  options: Partial<LoadOptions> = {},
  stub: Pick<StubCaOptions, "settings" | "onSession"> = {},
): Promise<{ outcome: LoadOutcome; seen: StubCa["seen"] }> {
  await using server = await startStubCa({ directory, answer, ...stub });
  const outcome = await runLoad(binary, {
    address: server.address,
    serverName: "localhost",
    rootFile: server.rootFile,
    requestsFile,
    mode: "steady",
    connections: 4,
    inFlight: 16,
    count: RECORDS,
    fresh: false,
    timeoutSeconds: 10,
    ...options,
  });
  return { outcome, seen: server.seen };
}

function assertAllAnswered(outcome: LoadOutcome, count = RECORDS): void {
  assert.deepEqual([...outcome.failed], [], outcome.firstError);
  assert.equal(outcome.ok, count);
  assert.equal(outcome.firstError, "");
}

function isSigned(authorization: string): boolean {
  const [input, signature] = authorization.slice("Bearer ".length).split(/\.(?=[^.]*$)/);
  return verify(
    "sha256",
    Buffer.from(input ?? ""),
    publicKey,
    Buffer.from(signature ?? "", "base64url"),
  );
}

function endWithoutStatus(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200 });
  stream.end(chain);
}

async function buildOrSkip(): Promise<{ binary: string; skip: string | false }> {
  try {
    return { binary: await buildLoad(), skip: false };
  } catch (error) {
    if (!(error instanceof LoadError) || error.code !== "load-go-missing") throw error;
    return { binary: "", skip: error.message };
  }
}
