/** What a client makes of an answer, and of none: a server that is there is never said to be away. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { status, type sendUnaryData, type StatusObject } from "@grpc/grpc-js";
import { makeAuthority, type TestAuthority } from "../../../test/support/authority.ts";
import { CaPort } from "../../../test/support/ca-port.ts";
import { PortcullisError } from "../../core/error.ts";
import { encodePem } from "../../core/x509/pem.ts";
import { IstioCertificateService } from "../../gen/istio/v1/auth/ca_pb.ts";
import { MeshService } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { CaCallError, refusalOf, refusalStatus, type CaCallErrorCode } from "./ca-status.ts";
import { requestCertificate } from "./ca-client.ts";
import { createLocalServer } from "./grpc-server.ts";
import { requestJwtSvid } from "./jwt-svid-client.ts";
import { addService } from "./service-definition.ts";

let authority: TestAuthority;
let port: CaPort;
let answer: Partial<StatusObject> | undefined;
const signal = new AbortController().signal;

before(async () => {
  authority = await makeAuthority("p256", Date.now());
  port = new CaPort(authority);
  const grpc = createLocalServer();
  const refuse = (_: unknown, reply: sendUnaryData<object>): void => {
    if (answer !== undefined) reply(answer);
  };
  addService(grpc, IstioCertificateService, { createCertificate: refuse });
  addService(grpc, MeshService, { mintJwtSvid: refuse });
  await port.open(grpc);
});
after(() => port.close());

const target = (timeoutMs: number) => ({
  server: port.address,
  serverRoots: Buffer.from(encodePem(authority.root, "CERTIFICATE")),
  token: "token",
  timeoutMs,
});

async function certificateError(timeoutMs = 5_000): Promise<PortcullisError> {
  const request = { ...target(timeoutMs), csrPem: "a CSR", ttlSeconds: 0 };
  return failure(requestCertificate(request, signal));
}

async function jwtSvidError(timeoutMs = 5_000): Promise<PortcullisError> {
  return failure(requestJwtSvid({ ...target(timeoutMs), audiences: ["db"] }, signal));
}

async function failure(outcome: Promise<unknown>): Promise<PortcullisError> {
  const error: unknown = await outcome.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PortcullisError, String(error));
  return error;
}

const refused = (code: CaCallErrorCode): StatusObject =>
  refusalStatus(refusalOf(new CaCallError(code, "no")), "request-1");

describe("a server that answers", () => {
  const answers: readonly (readonly [string, StatusObject, string, string])[] = [
    [
      "that its key is not there",
      refused("signer-unavailable"),
      "ca-unavailable",
      "jwt-svid-unavailable",
    ],
    [
      "that the deadline has passed",
      refused("deadline-exceeded"),
      "ca-overloaded",
      "jwt-svid-unavailable",
    ],
  ];
  for (const [what, given, code, jwtCode] of answers) {
    it(`${what} is not away: ${code}, ${jwtCode}`, async () => {
      answer = given;
      const error = await certificateError();
      assert.equal(error.code, code);
      assert.doesNotMatch(String(error.hint), /address/);
      assert.match(error.message, new RegExp(given.details));
      assert.equal((await jwtSvidError()).code, jwtCode);
    });
  }

  it("that the caller is denied by name has judged it: ca-denied", async () => {
    answer = { ...refused("queue-full"), code: status.PERMISSION_DENIED };
    assert.equal((await certificateError()).code, "ca-denied");
  });
});

describe("a server is away", () => {
  it("where somebody between says so", async () => {
    answer = { code: status.UNAVAILABLE, details: "no healthy upstream" };
    const { code, hint } = await certificateError();
    assert.equal(code, "ca-unreachable");
    assert.match(String(hint), /address/);
    assert.equal((await jwtSvidError()).code, "jwt-svid-unreachable");
  });

  it("where nothing comes until the deadline", async () => {
    answer = undefined;
    assert.equal((await certificateError(200)).code, "ca-unreachable");
    assert.equal((await jwtSvidError(200)).code, "jwt-svid-unreachable");
  });

  it("where nobody listens", async () => {
    port.close();
    const { code, hint } = await certificateError();
    assert.equal(code, "ca-unreachable");
    assert.match(String(hint), /address/);
  });
});
