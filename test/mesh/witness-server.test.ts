/** The log on the mesh stream of a real server: to whom it is shown, and a node agent that finds its workloads' certificates. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { parseSinglePem } from "../../src/core/x509/pem.ts";
import { LogReader } from "../../src/edge/log/log-reader.ts";
import type { LogProof } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { meshIdentity, openMeshStream, type MeshStream } from "../server/mesh-client.ts";
import { SdsClient } from "../support/agent-sds.ts";
import { TestAgent } from "../support/agent.ts";
import {
  eventually,
  mint,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { bearer } from "../support/node-agent.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const NODE = "spiffe://cluster.local/ns/mesh/sa/node-agent";

describe("a server with a log", () => {
  let server: TestControlPlane;
  before(async () => {
    server = await startControlPlane({ flags: { "node-agent": NODE } });
  });
  after(() => server[Symbol.asyncDispose]());

  it("shows it to agents that say they witness it, and to no others", async () => {
    const identity = await meshIdentity(server, "cart");
    using old = openMeshStream(server, identity);
    old.hello("old");
    using witness = openMeshStream(server, await meshIdentity(server, "cart"));
    witness.send({ case: "hello", value: { agentId: "new", logCheckpoint: "" } });
    const proof = await eventually(() => proofsOf(witness)[0]);
    assert.match(proof.checkpoint, /^cluster\.local\/portcullis\/log\n/);
    old.report({ sequence: 1n, full: true });
    await eventually(() => old.received.length === 2);
    assert.deepEqual(
      old.received.map(({ message }) => message.case),
      ["bundle", "reportAck"],
    );
    old.send({ case: "inclusion", value: { serials: [] } });
    assert.equal((await old.ended).code, status.INVALID_ARGUMENT);
  });

  it("gives a certificate's entries to its owner only", async () => {
    const [cart, pay] = [await meshIdentity(server, "cart"), await meshIdentity(server, "pay")];
    const serials = [cart, pay].map(({ certificateChain }) => {
      const { serialHex } = parseCertificate(parseSinglePem(certificateChain, "CERTIFICATE"));
      return new Uint8Array(Buffer.from(serialHex, "hex"));
    });
    using stream = openMeshStream(server, cart);
    stream.send({ case: "hello", value: { agentId: "cart", logCheckpoint: "" } });
    stream.send({ case: "inclusion", value: { serials } });
    const answers = await eventually(() => {
      const all = proofsOf(stream).flatMap(({ inclusions }) => inclusions);
      return all.length === 2 && all;
    });
    const [own, foreign] = answers;
    assert.ok(own?.intent !== undefined && own.result !== undefined && !own.foreign);
    assert.deepEqual(
      [foreign?.intent, foreign?.result, foreign?.foreign],
      [undefined, undefined, true],
    );
  });

  it("lets a node agent find its own certificate and those of its workloads", async () => {
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, "agent"));
    await using agent = await TestAgent.start({
      directory: join(directory.path, "agent"),
      server: server.address,
      serverRoot: server.rootPem,
      token: tokenOf("mesh", "node-agent"),
      nodeIdentity: SpiffeId.parse(NODE),
    });
    using client = new SdsClient(agent.socketPath, bearer(tokenOf("shop", "cart")));
    using stream = client.sotw("cart");
    stream.subscribe("default", "ROOTCA");
    stream.ack(await stream.next());
    await agent.until("log-leaf-found", (found) => {
      const owners = new Set(found.map(({ spiffeId }) => spiffeId));
      return owners.has(NODE) && owners.has("spiffe://cluster.local/ns/shop/sa/cart");
    });
    assert.deepEqual(agent.events("log-leaf-missing"), []);
  });
});

describe("a server whose wall clock was set ahead", () => {
  it("dates the alarms that agents raise by its log's time", async () => {
    await using server = await startControlPlane();
    using stream = openMeshStream(server, await meshIdentity(server, "cart"));
    stream.send({ case: "hello", value: { agentId: "cart", logCheckpoint: "" } });
    await eventually(() => proofsOf(stream)[0]);
    using reader = LogReader.open(server.config.dataDir);
    const { size } = reader.head();
    server.jump(300_000);
    stream.send({ case: "logAlarm", value: { kind: "log-invalid", detail: "why" } });
    const entries = await eventually(() => {
      const added = Array.from(reader.entries(size, 100), ({ data }) => decodeEntry(data));
      return added.some((entry) => entry.kind === "event" && entry.type === "alarm") && added;
    });
    for (const { timeMs } of entries) assert.ok(timeMs < Date.now() + 60_000, String(timeMs));
  });
});

function proofsOf({ received }: MeshStream): LogProof[] {
  return received.flatMap(({ message }) => (message.case === "logProof" ? [message.value] : []));
}

function tokenOf(namespace: string, name: string): string {
  const binding = { namespace, serviceaccount: { name, uid: "1" } };
  return mint({ sub: `system:serviceaccount:${namespace}:${name}`, "kubernetes.io": binding });
}
