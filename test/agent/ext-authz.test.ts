/** The agent's `Check` over its real socket: who is answered how, whatever he asks. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { PolicyOwner } from "../../src/app/agent/policy/policy-owner.ts";
import { emptyPolicy, type PortModes } from "../../src/core/policy/proxy-policy.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import {
  Authorization,
  CheckRequestSchema,
  type CheckRequest,
  type CheckResponse,
} from "../../src/gen/envoy/service/auth/v3/external_auth_pb.ts";
import { SdsClient } from "../support/agent-sds.ts";
import { until } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { PolicyServicesRig } from "./policy-services-rig.ts";

const id = SpiffeId.parse("spiffe://td.test/ns/shop/sa/server");
const client = "spiffe://td.test/ns/shop/sa/client";
const strict = { ...emptyPolicy, modes: { other: "strict", ports: new Map() } } as const;

const malformed: Readonly<Record<string, CheckRequest>> = {
  "without attributes": create(CheckRequestSchema),
  "without a destination": create(CheckRequestSchema, {
    attributes: { source: { principal: client } },
  }),
  "of a Unix socket": create(CheckRequestSchema, {
    attributes: {
      destination: { address: { address: { case: "pipe", value: { path: "/run/s" } } } },
    },
  }),
  "without a port": create(CheckRequestSchema, {
    attributes: {
      destination: { address: { address: { case: "socketAddress", value: { address: "::1" } } } },
    },
  }),
  "with port 0": asking(0),
  "with port 65536": asking(65_536),
};

for (const [what, request] of Object.entries(malformed)) {
  test(`denies a question ${what}`, async () => {
    await using scene = await openScene();
    scene.rig.feed.feed.give(strict);
    assertDenied(await scene.check(request), /names no port/);
  });
}

test("allows who the policy takes, by the port, and denies the others", async () => {
  await using scene = await openScene();
  const modes: PortModes = { other: "strict", ports: new Map([[8080, "permissive"]]) };
  scene.rig.feed.feed.give({ ...emptyPolicy, modes });
  assert.equal((await scene.check(asking(80, client))).status?.code, 0);
  assert.equal((await scene.check(asking(8080))).status?.code, 0);
  assertDenied(await scene.check(asking(80)), /takes mTLS only/);
});

test("tells a caller over HTTP why, with 403, and another one nothing", async () => {
  await using scene = await openScene();
  scene.rig.feed.feed.give(strict);
  const overHttp = await scene.check(asking(80, "", true));
  assert(overHttp.httpResponse.case === "deniedResponse");
  assert.equal(overHttp.httpResponse.value.status?.code, 403);
  assert.equal(overHttp.httpResponse.value.body, "this port takes mTLS only\n");
  assert.equal((await scene.check(asking(80))).httpResponse.case, undefined);
});

test("denies where it is not known whose Envoy asks, in an answer and not in an error", async () => {
  await using scene = await openScene();
  scene.rig.feed.feed.give(strict);
  const { findPeer } = scene.rig;
  scene.rig.findPeer = () => ({ code: status.UNAUTHENTICATED, details: "no token" });
  assertDenied(await scene.check(asking(80, client)), /whose proxy/);
  scene.rig.findPeer = (metadata) => {
    const peer = findPeer(metadata);
    return "code" in peer ? peer : { ...peer, owner: new PolicyOwner() };
  };
  assertDenied(await scene.check(asking(80, client)), /whose proxy/);
});

test("denies where a part of the agent's fails, in an answer, and says why in the log", async () => {
  await using scene = await openScene();
  const { findPeer } = scene.rig;
  scene.rig.findPeer = () => {
    throw new RangeError("out of places");
  };
  assertDenied(await scene.check(asking(80, client)), /cannot decide/);
  scene.rig.findPeer = findPeer;
  scene.rig.feed.open = () => {
    throw new RangeError("out of places");
  };
  assertDenied(await scene.check(asking(80, client), ["web-9"]), /cannot decide/);
  const lines = scene.rig.lines.filter(({ event }) => event === "call-denied");
  assert.deepEqual(
    lines.map(({ reason, error }) => [reason, error !== undefined]),
    [["not-decided", true]],
  );
});

test("denies an Envoy that does not say which it is, or says it twice, unless it is the only one", async () => {
  await using scene = await openScene();
  scene.rig.feed.feed.give(strict);
  assertDenied(await scene.check(asking(80, client), []), /which it is/);
  assertDenied(await scene.check(asking(80, client), ["web-0", "web-1"]), /which it is/);
  using sds = new SdsClient(scene.socketPath);
  using one = sds.sotw("web-7");
  one.subscribe("default");
  await until(() => scene.rig.nodes().includes("web-7"), "its stream");
  assert.equal((await scene.check(asking(80, client), [])).status?.code, 0);
  const [user] = scene.rig.feed.feed.users;
  assert.equal(user?.proxy.proxyId, "web-7");
  using other = sds.sotw("web-8");
  other.subscribe("default");
  await until(() => scene.rig.nodes().includes("web-8"), "its stream");
  assertDenied(await scene.check(asking(80, client), []), /which it is/);
});

test("denies while there is no policy, and says so in the log once a minute", async () => {
  await using scene = await openScene();
  for (let time = 0; time < 3; time++) {
    assertDenied(await scene.check(asking(80, client)), /no policy/);
  }
  const lines = scene.rig.lines.filter(({ event }) => event === "call-denied");
  assert.deepEqual(
    lines.map(({ reason, proxyId, port, principal, count }) => [
      reason,
      proxyId,
      port,
      principal,
      count,
    ]),
    [["no-policy", "web-0", 80, client, 1]],
  );
});

function asking(port: number, principal = "", isHttp = false): CheckRequest {
  const value = { address: "10.0.0.1", portSpecifier: { case: "portValue", value: port } } as const;
  return create(CheckRequestSchema, {
    attributes: {
      source: { principal },
      destination: { address: { address: { case: "socketAddress", value } } },
      ...(isHttp && { request: { http: {} } }),
    },
  });
}

function assertDenied(response: CheckResponse, why: RegExp): void {
  assert.equal(response.status?.code, status.PERMISSION_DENIED);
  assert.match(response.status.message, why);
}

interface Scene extends AsyncDisposable {
  readonly rig: PolicyServicesRig;
  readonly socketPath: string;
  /** @param nodeIds in its metadata */
  readonly check: (request: CheckRequest, nodeIds?: readonly string[]) => Promise<CheckResponse>;
}

async function openScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(temporaryDirectory());
  const socketPath = join(path, "sds.sock");
  const rig = stack.use(new PolicyServicesRig(socketPath, id));
  await rig.start();
  const options = { "grpc.use_local_subchannel_pool": 1 };
  const grpc = new Client(`unix:${socketPath}`, credentials.createInsecure(), options);
  stack.defer(() => grpc.close());
  const method = methodDefinition(Authorization, Authorization.method.check);
  const check = async (request: CheckRequest, nodeIds: readonly string[] = ["web-0"]) => {
    const metadata = new Metadata();
    for (const nodeId of nodeIds) metadata.add("x-portcullis-node-id", nodeId);
    return new Promise<CheckResponse>((resolve, reject) => {
      grpc.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        metadata,
        (error, response) => (response === undefined ? reject(error) : resolve(response)),
      );
    });
  };
  const owned = stack.move();
  return { rig, socketPath, check, [Symbol.asyncDispose]: async () => owned.disposeAsync() };
}
