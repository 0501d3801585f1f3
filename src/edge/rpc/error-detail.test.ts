import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, credentials, Metadata, status, type ServiceError } from "@grpc/grpc-js";
import { connectionProblem, errorDetail, isClosed } from "./error-detail.ts";

const told: readonly (readonly [string, string, boolean])[] = [
  [
    "No connection established. Last error: Error: connect ENOENT /a.sock. Resolution note: ",
    "connect ENOENT /a.sock",
    true,
  ],
  [
    "No connection established. Last error: unable to verify. (code X). Resolution note: old list",
    "unable to verify. (code X)",
    true,
  ],
  [
    "No connection established. Last error: null. Resolution note: ",
    "no connection established",
    true,
  ],
  [
    "Name resolution failed for target dns:a.invalid:1",
    "Name resolution failed for target dns:a.invalid:1",
    false,
  ],
  ["too many agents: try again later", "too many agents: try again later", false],
  ["", "", false],
  [
    "No connection established. Last error: Failed to connect (2026-01-01T00:00:00.000Z). Resolution note: ",
    "the server closed the connection before the call",
    true,
  ],
];

const closed: readonly (readonly [string, boolean])[] = [
  ["No connection established. Last error: Failed to connect (now). Resolution note: ", true],
  ["No connection established. Last error: Error: read ECONNRESET. Resolution note: ", true],
  [
    "No connection established. Last error: connect ECONNREFUSED 1.2.3.4:1. Resolution note: ",
    false,
  ],
  ["Connection dropped", true],
  ["the server is going away", false],
];

for (const [details, want] of closed) {
  test(`takes ${JSON.stringify(details)} ${want ? "as" : "not as"} a connection that was closed`, () => {
    assert.equal(isClosed({ code: status.UNAVAILABLE, details }), want);
    assert(!isClosed({ code: status.UNAUTHENTICATED, details }));
  });
}

for (const [details, want, isProblem] of told) {
  test(`says of ${JSON.stringify(details)}: ${want}`, () => {
    assert.equal(errorDetail({ details }), want);
    assert.equal(connectionProblem({ details }) !== undefined, isProblem);
  });
}

for (const [address, want] of [
  ["unix:/nowhere/agent.sock", "connect ENOENT /nowhere/agent.sock"],
  ["127.0.0.1:1", "connect ECONNREFUSED 127.0.0.1:1"],
] as const) {
  test(`says why ${address} is not there, and nothing of name resolution`, async () => {
    const client = new Client(address, credentials.createInsecure(), { "grpc.enable_retries": 0 });
    const same = (bytes: Buffer): Buffer => bytes;
    const error = await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest("/a/b", same, same, Buffer.of(), new Metadata(), {}, resolve);
    });
    client.close();
    assert(error !== null);
    assert.equal(errorDetail(error), want);
  });
}
