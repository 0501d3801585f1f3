/** The matrix of modes, protocols and callers, with a real Envoy. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { InboundPort } from "../../src/core/policy/proxy-policy.ts";
import { freePort } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { callPlain, callTls, httpRequest, tcpMessage, type Answer } from "./caller.ts";
import { clientId, MeshPki, serverId } from "./certificates.ts";
import {
  callers,
  connections,
  modes,
  outcomeOf,
  protocols,
  spoken,
  type Caller,
  type PortKind,
} from "./matrix.ts";
import { inboundPort, meshCluster, outboundPort } from "./policies.ts";
import { TestProxy } from "./proxy.ts";
import { WatchingApp } from "./watching-app.ts";

interface Port extends PortKind {
  readonly inbound: InboundPort;
  /** Of the client's Envoy, that leads here. */
  readonly outbound: number;
  readonly app: WatchingApp;
}

interface Scene {
  readonly ports: readonly Port[];
  readonly server: TestProxy;
  readonly call: (caller: Caller, port: Port) => Promise<Answer>;
}

test("a port of a real Envoy", { timeout: 60_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const { ports, call, server } = await openScene(stack, directory.path);
  for (const port of ports) {
    const { mode, protocol, app } = port;
    for (const caller of callers) {
      const outcome = outcomeOf(port, caller);
      const { reads, breaks, appSees } = outcome;
      const title = `${mode} ${protocol.toUpperCase()}, ${caller}: the application sees ${appSees}`;
      await t.test(title, async () => {
        const before = app.seen.length;
        const { text, broke } = await call(caller, port);
        assert.match(text, reads);
        assert.equal(broke, breaks);
        assert.deepEqual(app.seen.slice(before), connections(outcome));
      });
    }
  }
  await t.test("no refused caller reaches an application later", async () => {
    for (const port of ports) {
      const want = callers.flatMap((caller) => connections(outcomeOf(port, caller)));
      assert.deepEqual(port.app.seen, want);
      const name = `cluster.inbound|${port.inbound.port}.upstream_cx_total`;
      const stats = await server.envoy.stats("upstream_cx_total");
      assert.equal(stats.get(name) ?? 0, want.length);
    }
  });
});

async function openScene(stack: AsyncDisposableStack, directory: string): Promise<Scene> {
  const mesh = new MeshPki(join(directory, "mesh"));
  const ports: Port[] = [];
  for (const protocol of protocols) {
    for (const mode of modes) {
      const app = stack.use(await WatchingApp.listen(mesh.issueFor("app.test")));
      const inbound = inboundPort(await freePort(), protocol, mode, app.address);
      ports.push({ mode, protocol, inbound, outbound: await freePort(), app });
    }
  }
  const [server, client] = await Promise.all([
    TestProxy.start(join(directory, "server"), mesh.secrets(serverId)),
    TestProxy.start(join(directory, "client"), mesh.secrets(clientId)),
  ]);
  stack.use(server);
  stack.use(client);
  await server.apply({ inbound: ports.map(({ inbound }) => inbound) });
  await client.apply({
    clusters: ports.map(({ inbound, protocol }) => meshCluster(inbound, spoken(protocol))),
    outbound: ports.map(({ inbound, protocol, outbound }) =>
      outboundPort(outbound, spoken(protocol), inbound),
    ),
  });
  const credentials = {
    stranger: new MeshPki(join(directory, "stranger")).issue(clientId),
    expired: mesh.issue(clientId, -1),
    "other domain": mesh.issue("spiffe://other.test/ns/shop/sa/client"),
  };
  const call = async (caller: Caller, { inbound, outbound, protocol }: Port): Promise<Answer> => {
    const isHttp = spoken(protocol) === "http";
    const say = isHttp ? httpRequest : tcpMessage;
    if (caller === "plaintext") return callPlain(inbound.port, say);
    if (caller === "mTLS") return callPlain(outbound, say);
    if (caller === "TLS") return callTls(inbound.port, say);
    const alpn = isHttp ? ["istio-http/1.1", "istio", "http/1.1"] : ["istio"];
    return callTls(inbound.port, say, { credential: credentials[caller], alpn });
  };
  return { ports, server, call };
}
