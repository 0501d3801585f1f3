import assert from "node:assert/strict";
import { it } from "node:test";
import { OddApiServer } from "../../../../../test/support/odd-api-server.ts";
import { ResourceSet } from "../../policy/resources/resource-set.ts";
import { TrustSecretError } from "../trust/trust-secret-error.ts";
import { ClusterEdits } from "./cluster-edits.ts";

it("a server that another one has overtaken edits nothing in the cluster", async () => {
  await using server = await OddApiServer.start((_, response) => response.end("{}"));
  const set = new ResourceSet(1, { directory: [], applied: [], cluster: [] });
  const overtaken = new TrustSecretError("trust-lease-taken", "other_1 has the Lease of the trust");
  const edits = new ClusterEdits({
    connection: server.connection,
    set,
    assertMayEdit: () => {
      throw overtaken;
    },
    signal: new AbortController().signal,
  });
  const ref = { kind: "PeerAuthentication", namespace: "shop", name: "cart" } as const;
  const after = { apiVersion: "security.istio.io/v1", kind: "PeerAuthentication" };
  await assert.rejects(edits.edit(ref, { before: undefined, after }), overtaken);
  assert.deepEqual(server.requests, []);
  assert.equal(edits.isWriting(ref, after), false);
});
