/** The port of operators: whoever connects and shows nothing is sent away, and whoever is known stays. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { admitVerified } from "../../src/edge/rpc/admin-door.ts";
import { createNetworkServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { StrangerBounds } from "../../src/edge/rpc/stranger-bounds.ts";
import { TlsListener } from "../../src/edge/rpc/tls-listener.ts";
import {
  MeshService,
  MintJwtSvidRequestSchema,
  MintJwtSvidResponseSchema,
  type MintJwtSvidResponse,
} from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import type { sendUnaryData } from "@grpc/grpc-js";
import { encodePem } from "../../src/core/x509/pem.ts";
import { makeAuthority } from "../support/authority.ts";
import { issueServingCertificate } from "../support/serving.ts";
import { CODE, dialWire, frame } from "./grpc-wire.ts";

const provenWithinMs = 500;
const path = "/portcullis.mesh.v1.MeshService/MintJwtSvid";
const body = frame(toBinary(MintJwtSvidRequestSchema, create(MintJwtSvidRequestSchema)));

it("ends the connections of those alone whom its door does not know", async () => {
  const authority = await makeAuthority("p256", Date.now());
  const strangers = new StrangerBounds({ perAddressMax: 8, provenWithinMs });
  const door = {
    enter: async ([token]: readonly string[]) => {
      if (token !== "Bearer good") throw new Error("unknown");
      return { operator: "alice", allow: async () => {} };
    },
    refusalOf: () => ({ code: CODE.unauthenticated, details: "" }),
  };
  const interceptor = admitVerified(door, (peer) => strangers.proven(peer));
  const grpc = createNetworkServer({
    requestTimeoutMs: 10_000,
    endless: [],
    door: { messageMax: 1_024, interceptor },
  });
  addService(grpc, MeshService, {
    mintJwtSvid: (_: unknown, reply: sendUnaryData<MintJwtSvidResponse>) =>
      reply(null, create(MintJwtSvidResponseSchema)),
  });
  const identity = issueServingCertificate(authority, ["127.0.0.1"], Date.now());
  const limits = { handshakeTimeoutMs: 5_000, connectionsMax: 8, onRefused: () => {}, strangers };
  const listener = new TlsListener(grpc, identity, limits);
  await using owned = new AsyncDisposableStack();
  owned.defer(async () => {
    await listener.drain(100);
    await shutdownGrpc(grpc, 100);
  });
  const { port } = await listener.listen("127.0.0.1", 0);
  const rootPem = encodePem(authority.bundle.roots[0] ?? new Uint8Array(), "CERTIFICATE");
  const dial = () => owned.use(dialWire({ address: `127.0.0.1:${port}`, rootPem }));
  const ask = async (wire: ReturnType<typeof dial>, name: string): Promise<number> =>
    (await wire.call(path, body, { authorization: `Bearer ${name}` })).code;
  const [known, unknown, silent] = [dial(), dial(), dial()];
  const ends = [unknown, silent].map(({ session }) => once(session, "close"));
  assert.equal(await ask(known, "good"), CODE.ok);
  assert.equal(await ask(unknown, "evil"), CODE.unauthenticated);
  await Promise.all(ends);
  await sleep(provenWithinMs);
  assert.equal(await ask(known, "good"), CODE.ok);
});
