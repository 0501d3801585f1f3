/** The agent's MetricsService over its real socket: what it hears of, and what it ends. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  Client,
  credentials,
  status,
  type ClientWritableStream,
  type ServiceError,
} from "@grpc/grpc-js";
import { DrainingFeed } from "../../src/app/agent/policy/draining-feed.ts";
import { EnvoyMetricsService } from "../../src/app/agent/policy/envoy-metrics-service.ts";
import { PolicyOwner } from "../../src/app/agent/policy/policy-owner.ts";
import { SecretChannel } from "../../src/app/agent/secret-channel.ts";
import { nothingYet } from "../../src/app/agent/secrets.ts";
import { xdsMessageBytesMax, type XdsPeer } from "../../src/app/agent/xds-calls.ts";
import { emptyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { createLocalServer } from "../../src/edge/rpc/grpc-server.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import { NodeSchema } from "../../src/gen/envoy/config/core/v3/base_pb.ts";
import {
  MetricsService,
  StreamMetricsMessage_IdentifierSchema as IdentifierSchema,
  StreamMetricsMessageSchema,
  type StreamMetricsMessage,
  type StreamMetricsResponse,
} from "../../src/gen/envoy/service/metrics/v3/metrics_service_pb.ts";
import { inboundPort } from "../policy-envoy/policies.ts";
import { until } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { DrainingTestFeed } from "./policy-services-rig.ts";

const id = SpiffeId.parse("spiffe://td.test/ns/shop/sa/server");
const streamsMax = 3;
const name = "connection_limit.inbound_80.plaintext-tcp.active_connections";

const refused: Readonly<
  Record<string, readonly [messages: readonly StreamMetricsMessage[], code: number]>
> = {
  "that does not say whose it is": [[flush(1)], status.INVALID_ARGUMENT],
  "of an Envoy with an endless name": [[of("a".repeat(1_025), 1)], status.INVALID_ARGUMENT],
  "with a flush that has no end": [
    [of("web-0", 1), ...Array.from({ length: 64 }, () => flush(1))],
    status.INVALID_ARGUMENT,
  ],
  "with a message of more than 2 MiB": [
    [create(StreamMetricsMessageSchema, { envoyMetrics: [{ name: "a".repeat(2 * 1_048_576) }] })],
    status.RESOURCE_EXHAUSTED,
  ],
};

for (const [what, [messages, code]] of Object.entries(refused)) {
  test(`ends a stream ${what}`, async () => {
    await using scene = await openScene();
    const { call, ended } = scene.open();
    for (const each of messages) call.write(each);
    assert.equal(await ended, code);
  });
}

test("hears of open connections from the Envoy that they are of, and of no other", async () => {
  await using scene = await openScene();
  const app = { kind: "ip", host: "127.0.0.1", port: 8080 } as const;
  const inbound = [inboundPort(80, "tcp", "strict", app)];
  const { feed, draining } = scene;
  const proxy = { proxyId: "web-0", spiffeId: undefined };
  const user = { proxy, labels: new Map(), hasListeners: true, onPolicy: () => {} };
  const open = draining.open(user);
  open.acked(feed.feed.give({ ...emptyPolicy, inbound }));
  const [ours, others] = [scene.open(), scene.open()];
  others.call.write(of("web-1", 1));
  ours.call.write(of("web-0", 2));
  await until(() => feed.old === "unproven", "it is told");
  assert.deepEqual(feed.told.at(-1), new Map([[80, 2]]));
  ours.call.end();
  assert.equal(await ours.ended, status.OK);
});

test("ends the stream that is one too many, and no other", async () => {
  await using scene = await openScene();
  const all = Array.from({ length: streamsMax + 1 }, () => scene.open());
  assert.equal(await all.at(-1)?.ended, status.RESOURCE_EXHAUSTED);
  const [first] = all;
  first?.call.end();
  assert.equal(await first?.ended, status.OK);
  const another = scene.open();
  another.call.end();
  assert.equal(await another.ended, status.OK);
});

function of(nodeId: string, open: number): StreamMetricsMessage {
  const node = create(NodeSchema, { id: nodeId });
  const identifier = create(IdentifierSchema, { node });
  return { ...flush(open), identifier };
}

function flush(open: number): StreamMetricsMessage {
  const all = Object.entries({ [name]: open, "listener_manager.total_listeners_warming": 0 });
  return create(StreamMetricsMessageSchema, {
    envoyMetrics: all.map(([name, value]) => ({
      name,
      metric: [{ timestampMs: 1_700n, gauge: { value } }],
    })),
  });
}

interface Scene extends AsyncDisposable {
  readonly feed: DrainingTestFeed;
  readonly draining: DrainingFeed;
  readonly open: () => {
    readonly call: ClientWritableStream<StreamMetricsMessage>;
    /** With which status. */
    readonly ended: Promise<number>;
  };
}

async function openScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(temporaryDirectory());
  const socketPath = join(path, "sds.sock");
  const owner = new PolicyOwner();
  owner.know(id);
  const feed = new DrainingTestFeed();
  const draining = new DrainingFeed(feed, Date.now);
  const findPeer = (): XdsPeer => ({ channel: noChannel, owner });
  const grpc = createLocalServer(xdsMessageBytesMax);
  const options = { feeds: [draining], findPeer, namesWorkload: false, streamsMax };
  new EnvoyMetricsService(options).addTo(grpc);
  stack.use(await listenOnUnixSocket(grpc, socketPath, 0o600));
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_send_message_length": -1,
  });
  stack.defer(() => client.close());
  const method = methodDefinition(MetricsService, MetricsService.method.streamMetrics);
  const owned = stack.move();
  const { path: name, requestSerialize, responseDeserialize } = method;
  const open: Scene["open"] = () => {
    let end: (code: number) => void = () => {};
    const ended = new Promise<number>((resolve) => (end = resolve));
    const call = client.makeClientStreamRequest<StreamMetricsMessage, StreamMetricsResponse>(
      name,
      requestSerialize,
      responseDeserialize,
      (error: ServiceError | null) => end(error?.code ?? status.OK),
    );
    call.on("error", () => {});
    return { call, ended };
  };
  return { feed, draining, open, [Symbol.asyncDispose]: async () => owned.disposeAsync() };
}

/** Nobody asks for secrets here. */
const noChannel = new SecretChannel(
  {
    nowMs: Date.now,
    streamsMax: 1,
    onEvidence: () => {},
    onFact: () => {},
    onBundleFetched: () => {},
    beforeAnswer: () => {},
  },
  nothingYet,
);
