import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import { after, before, describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { IstioCertificateRequestSchema } from "../src/gen/istio/v1/auth/ca_pb.ts";
import { parseLoadOutcome } from "./load-outcome.ts";
import { assertAllAnswered, findPrograms, LoadSetup, RECORDS, WORKLOADS } from "./load-setup.ts";
import { frameChain, refuse, reply, type Answer, type StubCaOptions } from "./stub-ca.ts";

const chain = frameChain();
const { programs, skip } = await findPrograms();
let setup: LoadSetup;
const load: LoadSetup["load"] = (...args) => setup.load(...args);

describe("the load generator", { skip, timeout: 60_000 }, () => {
  before(async () => {
    setup = await LoadSetup.open(programs);
  });
  after(() => setup[Symbol.dispose]());

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
    assert.equal(csrs.size, WORKLOADS);
    assert.ok([...tokens].every((each) => setup.isSigned(each.slice("Bearer ".length))));
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

  it("sends in parts what the server's window does not take at once", async () => {
    const csrs = new Set<string>();
    const answer: Answer = (stream, message) => {
      csrs.add(fromBinary(IstioCertificateRequestSchema, message).csr);
      reply(stream, chain);
    };
    const settings = { initialWindowSize: 100 };
    const { outcome } = await load(answer, { count: 40 }, { settings });
    assertAllAnswered(outcome, 40);
    assert.equal(csrs.size, WORKLOADS);
  });

  it("sends the rest to nobody who has answered before it came", async () => {
    const answer: Answer = (stream) => reply(stream, chain);
    const settings = { initialWindowSize: 100 };
    const onRequest: StubCaOptions["onRequest"] = (stream) => refuse(stream, 8, "enough");
    const { outcome } = await load(answer, { count: 40 }, { settings, onRequest });
    assert.deepEqual([...outcome.failed], [["RESOURCE_EXHAUSTED", 40]]);
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

function endWithoutStatus(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200 });
  stream.end(chain);
}
