/** JWT-SVIDs and the bundle that verifies them, from one running server. */

import { create } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { connect } from "node:tls";

import { jwtVerify } from "jose";

import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { readEndpoints } from "../../src/edge/config/endpoints.ts";
import { fetchBundleDocument } from "../../src/edge/rpc/bundle-client.ts";
import { requestJwtSvid } from "../../src/edge/rpc/jwt-svid-client.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import {
  AdminService,
  CreateJoinTokenRequestSchema,
} from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { eventually, mint, scrape, startControlPlane } from "../support/control-plane.ts";
import type { TestControlPlane } from "../support/control-plane.ts";
import { CODE, dialWire, frame, sign } from "./grpc-wire.ts";

const signal = new AbortController().signal;

let it: TestControlPlane;
before(async () => {
  const flags = { "bundle-listen": "127.0.0.1:0", "bundle-refresh-hint": "10m", "jwt-ttl": "2m" };
  it = await startControlPlane({ flags });
});
after(() => it[Symbol.asyncDispose]());

const mintSvid = () =>
  requestJwtSvid(
    {
      server: it.address,
      serverRoots: Buffer.from(it.rootPem),
      token: mint(),
      audiences: ["db"],
      timeoutMs: 10_000,
    },
    signal,
  );

test("a JWT-SVID verifies with what the endpoint of the same server serves", async () => {
  const { bundle } = await readEndpoints(it.config.dataDir);
  const { document } = await fetchBundleDocument(
    new URL(bundle ?? ""),
    {
      kind: "https_spiffe",
      endpointId: SpiffeId.parse("spiffe://cluster.local/portcullis/server"),
      roots: [Buffer.from(it.rootPem.replaceAll(/-.*-|\n/g, ""), "base64")],
    },
    signal,
  );
  assert.equal(document.refreshHintSeconds, 600);
  const { svid, spiffeId } = await mintSvid();
  const { payload } = await jwtVerify(
    svid,
    ({ kid }) => {
      const spki = document.jwtKeys.find(({ keyId }) => keyId === kid)?.spki;
      return createPublicKey({ key: Buffer.from(spki ?? []), format: "der", type: "spki" });
    },
    { audience: "db", subject: spiffeId },
  );
  assert.equal(Number(payload.exp) - Number(payload.iat), 120);
});

test("a reload gives new names to the endpoint's certificate, too", async () => {
  const { bundle } = await readEndpoints(it.config.dataDir);
  const port = Number(new URL(bundle ?? "").port);
  const namesNow = async (): Promise<string> => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { subjectaltname = "" } = socket.getPeerCertificate();
    socket.destroy();
    return subjectaltname;
  };
  assert.doesNotMatch(await namesNow(), /bundle\.prod\.example/);
  const servingDnsNames = [...it.config.servingDnsNames, "bundle.prod.example"];
  await it.controlPlane.reload({ ...it.config, servingDnsNames });
  await eventually(async () => (await namesNow()).includes("DNS:bundle.prod.example"));
  await it.controlPlane.reload(it.config);
});

test("what was issued and refused is counted apart from certificates", async () => {
  const before = await scrape(it);
  await mintSvid();
  await using connection = dialWire(it);
  const path = "/portcullis.mesh.v1.MeshService/MintJwtSvid";
  const { code } = await connection.call(path, frame(new Uint8Array()));
  assert.equal(code, CODE.unauthenticated);
  const after = await scrape(it);
  const rise = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  assert.equal(rise("portcullis_jwt_svids_issued_total"), 1);
  assert.equal(rise('portcullis_jwt_svids_refused_total{reason="authentication"}'), 1);
  assert.equal(rise("citadel_server_authentication_failure_count"), 0);
  assert.equal(rise("citadel_server_success_cert_issuance_count"), 0);
});

test("a join token gets no JWT-SVID, and is not used up by trying", async () => {
  const authorization = `Bearer ${await createJoinToken("spiffe://cluster.local/vm/db-1")}`;
  await using connection = dialWire(it);
  const path = "/portcullis.mesh.v1.MeshService/MintJwtSvid";
  const refused = await connection.call(path, frame(new Uint8Array()), { authorization });
  assert.equal(refused.code, CODE.unauthenticated);
  assert.equal((await sign(connection, { authorization })).code, CODE.ok);
});

async function createJoinToken(spiffeId: string): Promise<string> {
  const method = methodDefinition(AdminService, AdminService.method.createJoinToken);
  const client = new Client(it.controlPlane.endpoints.admin, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = method;
  const request = create(CreateJoinTokenRequestSchema, { spiffeId });
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        (error, response) => {
          if (response === undefined) reject(error ?? new Error("no response"));
          else resolve(response.token);
        },
      );
    });
  } finally {
    client.close();
  }
}
