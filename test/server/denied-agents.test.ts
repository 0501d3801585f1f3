/** A denied agent: its stream ends, it gets no other one, and it asks for nobody else's certificates. */

import { status } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { dial } from "../../src/edge/rpc/dial.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import { create } from "@bufbuild/protobuf";
import { MeshService, SignBatchRequestSchema } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { eventually, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { meshIdentity, openMeshStream, type MeshIdentity } from "./mesh-client.ts";
import { runVerb } from "./portcullis-process.ts";

const nodeId = "spiffe://cluster.local/ns/shop/sa/node";
const method = methodDefinition(MeshService, MeshService.method.signBatch);

/** @returns the code of the refusal; a batch of none is refused for its size where nothing else is wrong */
function refusalOf(
  it: TestControlPlane,
  identity: MeshIdentity,
): Promise<{ readonly code: number; readonly details: string }> {
  const client = dial({ server: it.address, serverRoots: Buffer.from(it.rootPem), identity });
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly code: number;
    readonly details: string;
  }>();
  client.makeUnaryRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    create(SignBatchRequestSchema, {}),
    (error) => (error === null ? reject(new Error("expected a refusal")) : resolve(error)),
  );
  return promise.finally(() => client.close());
}

describe("a denied node agent", () => {
  let it: TestControlPlane;
  let node: MeshIdentity;
  before(async () => {
    it = await startControlPlane({ flags: { "node-agent": nodeId } });
    node = await meshIdentity(it, "node");
  });
  after(() => it[Symbol.asyncDispose]());

  test("loses its stream, gets no other one and signs no batch; others keep theirs", async () => {
    const cart = await meshIdentity(it, "cart");
    using open = openMeshStream(it, node);
    using silent = openMeshStream(it, node);
    using other = openMeshStream(it, cart);
    open.hello("node");
    other.hello("cart");
    await eventually(() => open.received.length === 1 && other.received.length === 1);
    assert.equal((await refusalOf(it, node)).code, status.INVALID_ARGUMENT);
    const dir = ["--data-dir", it.config.dataDir];
    const denied = await runVerb(["deny", "add", nodeId, "--reason", "stolen", ...dir]);
    assert.equal(denied.status, 0, denied.stderr);
    using late = openMeshStream(it, node);
    late.hello("node-again");
    for (const stream of [open, silent, late]) {
      const { code, details } = await stream.ended;
      assert.equal(code, status.PERMISSION_DENIED);
      assert.match(details, /stolen/);
    }
    const { code, details } = await refusalOf(it, node);
    assert.equal(code, status.PERMISSION_DENIED);
    assert.match(details, /stolen/);
    other.report({ sequence: 1n, full: true });
    await eventually(() => other.received.length === 2);
  });
});
