/** Agents beside a real server when an authority is distrusted right after their certificates were re-issued. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { activeAuthority } from "../../src/core/trust/trust-state.ts";
import { changeRoot, type RootCommand } from "../../src/edge/rpc/root-client.ts";
import { SdsClient, secretsIn, serialOf } from "../support/agent-sds.ts";
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

function tokenOf(namespace: string, name: string): string {
  const pod = { name: `${name}-0`, uid: `pod-${name}` };
  const binding = { namespace, serviceaccount: { name, uid: `sa-${name}` }, pod };
  return mint({ sub: `system:serviceaccount:${namespace}:${name}`, "kubernetes.io": binding });
}

async function give(it: TestControlPlane, command: RootCommand): Promise<void> {
  const request = { command, operator: "test", dryRun: false };
  const { admin } = it.controlPlane.endpoints;
  await eventually(async () => (await changeRoot(admin, request)).result.case === "done");
}

test("a compromise right after a re-issue leaves nobody who is connected without a certificate for long", async () => {
  using temporary = temporaryDirectory();
  await using it = await startControlPlane({ flags: { "node-agent": NODE } });
  await using owned = new AsyncDisposableStack();
  const start = async (namespace: string, name: string, node?: string): Promise<TestAgent> => {
    const directory = join(temporary.path, name);
    mkdirSync(directory, { mode: 0o700 });
    const own = { directory, server: it.address, serverRoot: it.rootPem };
    const nodeIdentity = node && { nodeIdentity: SpiffeId.parse(node) };
    const agent = await TestAgent.start({
      ...own,
      token: tokenOf(namespace, name),
      ...nodeIdentity,
    });
    await owned.use(agent).untilCount("mesh-connected", 1);
    return agent;
  };
  const sidecars = [await start("shop", "cart"), await start("shop", "pay")];
  const node = await start("mesh", "node-agent", NODE);
  const workload = owned.use(new SdsClient(node.socketPath, bearer(tokenOf("shop", "web"))));
  const stream = owned.use(workload.sotw("web"));
  stream.subscribe("default", "ROOTCA");
  stream.ack(await stream.next());
  const clients = [workload, ...sidecars.map((each) => owned.use(new SdsClient(each.socketPath)))];
  /** What whoever comes now is served; undefined for one from whom it is withheld. */
  const served = async (client: SdsClient): Promise<string | undefined> => {
    const response = await client.fetch(["default"]).catch(() => undefined);
    return response && serialOf(secretsIn(response).get("default"));
  };
  const untilOthers = async (before: readonly (string | undefined)[], timeoutMs: number) =>
    eventually(async () => {
      const now = await Promise.all(clients.map(served));
      return now.every((each, at) => each !== undefined && each !== before[at]) && now;
    }, timeoutMs);
  const acks = setInterval(() => stream.take().forEach((each) => stream.ack(each)), 20);
  owned.defer(() => clearInterval(acks));

  const first = await Promise.all(clients.map(served));
  await give(it, { kind: "prepare", source: {} });
  await give(it, { kind: "activate" });
  const second = await untilOthers(first, 5_000);
  const authorityId = activeAuthority(it.controlPlane.trust.state).id;
  await give(it, { kind: "compromise", authorityId, replacement: {} });
  await untilOthers(second, 3_000);
  await node.untilCount("certificate-received", 6);
});
