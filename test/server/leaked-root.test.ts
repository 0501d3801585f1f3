/**
 * Whoever has the key of a root that was trusted, and came before it was taken away: with certificates that name the authority
 * of now as their issuer, as anybody can make them.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { activeAuthority } from "../../src/core/trust/trust-state.ts";
import { createJoinToken } from "../../src/edge/rpc/join-token-client.ts";
import { SignBatchRequestSchema } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { mint, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { CODE, dialWire, frame, sign, WIRE_CSR } from "./grpc-wire.ts";
import { meshIdentity, openMeshStream, type MeshIdentity } from "./mesh-client.ts";
import {
  command,
  confirming,
  digestOf,
  join as joinMesh,
  laggards,
  prepare,
  report,
  spiffeId,
} from "./mesh-evidence-rig.ts";

const SIGN_BATCH = "/portcullis.mesh.v1.MeshService/SignBatch";
const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const leaked = pki.root("leaked");
const caDir = pki.directory({
  "ca-cert.pem": leaked.certPem,
  "ca-key.pem": leaked.keyPem,
  "root-cert.pem": leaked.certPem,
});

/** Its issuer has the key's name of the authority that is prepared, whose root comes along. */
function forge(it: TestControlPlane, uri: string, serial?: string): MeshIdentity {
  const prepared = it.controlPlane.trust.state.authorities.find(
    ({ state }) => state === "prepared",
  );
  assert.ok(prepared);
  const root = new X509Certificate(prepared.root);
  const signer = pki.under(leaked, "thief", {
    extensions: { subjectKeyIdentifier: prepared.id.match(/../g)?.join(":") },
  });
  const leaf = pki.under(signer, "forged", {
    ...(serial !== undefined && { serial }),
    extensions: {
      basicConstraints: "critical,CA:FALSE",
      keyUsage: "critical,digitalSignature",
      extendedKeyUsage: "clientAuth,serverAuth",
      authorityKeyIdentifier: "keyid:always",
      subjectAltName: `critical,URI:${uri}`,
    },
  });
  const chain = [leaf.certPem, signer.certPem, root.toString()];
  return { certificateChain: chain.join(""), privateKey: leaf.keyPem };
}

async function compromise(it: TestControlPlane): Promise<void> {
  const authorityId = activeAuthority(it.controlPlane.trust.state).id;
  assert.equal(await command(it, { kind: "compromise", authorityId }), "done");
}

describe("a thief of a root's key who came before the compromise", () => {
  test("confirms nothing in the place of who trusts it still, and ends nobody's stream", async () => {
    await using it = await startControlPlane({ flags: { "ca-dir": caDir } });
    await meshIdentity(it, "victim", 600, "v");
    await prepare(it);
    const forged = forge(it, spiffeId("victim"));
    using spoke = await joinMesh(it, forged, "v");
    using silent = openMeshStream(it, forged);
    await report(spoke, { sequence: 1n, full: true, proxies: [] });
    await compromise(it);
    spoke.report({ ...confirming(digestOf(it)), sequence: 2n });
    silent.hello("v");
    assert.equal((await silent.ended).code, status.UNAUTHENTICATED);
    assert.deepEqual(await laggards(it), [`agent/v@${spiffeId("victim")} not-connected`]);
  });

  test("renews no certificate of a workload's", async () => {
    const flags = { "ca-dir": caDir, "renew-by-certificate": "true" };
    await using it = await startControlPlane({ flags });
    const uri = "spiffe://cluster.local/vm/db-1";
    const { admin } = it.controlPlane.endpoints;
    const { token } = await createJoinToken(admin, { spiffeId: uri, ttlSeconds: 0 });
    await using joining = dialWire(it);
    const { certChain } = await sign(joining, { authorization: `Bearer ${token}` });
    const { serialNumber } = new X509Certificate(certChain[0] ?? "");
    await prepare(it);
    const { certificateChain: cert, privateKey: key } = forge(it, uri, serialNumber);
    await using thief = dialWire(it, { cert, key });
    assert.equal((await thief.call("/nothing", new Uint8Array())).code, CODE.unimplemented);
    await compromise(it);
    const { code, metadata } = await sign(thief, { authorization: null });
    assert.equal(code, CODE.unauthenticated);
    const said = it.log.find(({ requestId }) => requestId === metadata["x-request-id"]);
    assert.equal(said?.["reason"], "peer-distrusted");
  });

  test("gets no batch signed in a node agent's name", async () => {
    const flags = { "ca-dir": caDir, "node-agent": spiffeId("node") };
    await using it = await startControlPlane({ flags });
    await prepare(it);
    const { certificateChain: cert, privateKey: key } = forge(it, spiffeId("node"));
    await using thief = dialWire(it, { cert, key });
    const entries = [{ token: mint(), csr: WIRE_CSR }];
    const request = create(SignBatchRequestSchema, { entries });
    const batch = frame(toBinary(SignBatchRequestSchema, request));
    assert.equal((await thief.call(SIGN_BATCH, batch)).code, CODE.ok);
    await compromise(it);
    assert.equal((await thief.call(SIGN_BATCH, batch)).code, CODE.unauthenticated);
  });
});
