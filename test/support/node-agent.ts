/** A node agent in this process with a scripted control plane, and workloads that come with a token. */

import { Metadata } from "@grpc/grpc-js";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { SdsClient } from "./agent-sds.ts";
import { TestAgent, type TestAgentOptions } from "./agent.ts";
import { NODE_ID, NodeCa } from "./node-ca.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export interface NodeScene extends AsyncDisposable {
  readonly ca: NodeCa;
  readonly directory: string;
  agent: TestAgent;
  /** Another life of the agent, on the same directory. */
  restart(changes?: Partial<TestAgentOptions>): Promise<void>;
  /** @param token in its `authorization` */
  client(token: string): SdsClient;
}

/** Resolves when the agent has its own certificate. */
export async function nodeScene(changes: Partial<TestAgentOptions> = {}): Promise<NodeScene> {
  await using owned = new AsyncDisposableStack();
  const directory = owned.use(temporaryDirectory()).path;
  const ca = owned.use(await NodeCa.start());
  const start = async (more: Partial<TestAgentOptions>): Promise<TestAgent> =>
    TestAgent.start({
      directory,
      server: ca.address,
      serverRoot: ca.rootPem,
      nodeIdentity: SpiffeId.parse(NODE_ID),
      ...changes,
      ...more,
    });
  const agent = await start({});
  await agent.untilCount("mesh-connected", 1);
  const clients = new DisposableStack();
  const scene = {
    ca,
    directory,
    agent,
    async restart(more: Partial<TestAgentOptions> = {}): Promise<void> {
      await scene.agent.stop();
      scene.agent = await start(more);
    },
    client: (token: string): SdsClient =>
      clients.use(new SdsClient(agent.socketPath, bearer(token))),
  };
  const rest = owned.move();
  return Object.assign(scene, {
    [Symbol.asyncDispose]: async (): Promise<void> => {
      clients.dispose();
      await scene.agent.stop();
      await rest.disposeAsync();
    },
  });
}

export function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}
