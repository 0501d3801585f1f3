/** What a real Envoy sends to the services that its workload calls. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { callHost } from "./caller.ts";
import { clientId, MeshPki, serverId } from "./certificates.ts";
import { clusterName, inboundPort, meshCluster, outboundPort } from "./policies.ts";
import { TestProxy } from "./proxy.ts";
import { WatchingApp } from "./watching-app.ts";

interface Scene {
  readonly directory: string;
  readonly app: WatchingApp;
  /** Of the server's Envoy: permissive HTTP. */
  readonly port: number;
  /** Of the client's Envoy, that leads there. */
  readonly out: number;
  readonly client: TestProxy;
}

test("a client's real Envoy", { timeout: 60_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const scene = await openScene(stack, directory.path);
  for (const [title, run] of cases) await t.test(title, async () => run(scene));
});

const cases: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
  ["moves pooled connections to mTLS and back with the change, and loses none", movesPooled],
  ["takes the server only for the identity that it was told", checksIdentity],
  ["finds a service by the request's host, and nothing by an unknown one", routesByHost],
  ["takes every kind of address", takesAllKinds],
];

async function movesPooled({ client, app, port, out }: Scene): Promise<void> {
  const outbound = [outboundPort(out, "http", { port })];
  const sendings = ["plaintext", "mtls", "plaintext"] as const;
  // By the endpoint alone, and by the endpoint and the cluster's transport sockets.
  for (const mtls of [meshCluster({ port }, "http").mtls, undefined]) {
    for (const sends of sendings) {
      const cluster = meshCluster({ port }, "http", sends);
      await client.apply({ clusters: [{ ...cluster, mtls: mtls ?? cluster.mtls }], outbound });
      const before = app.said.length;
      const answers = await Promise.all(Array.from({ length: 8 }, async () => callHost(out)));
      for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 200 /);
      const said = app.said.slice(before);
      assert.equal(said.length, 8);
      const isMtls = sends === "mtls";
      for (const each of said) assert.equal(each.includes(`;URI=${clientId}`), isMtls, sends);
      const active = `cluster.${clusterName({ port })}.upstream_cx_active`;
      assert.ok(((await client.envoy.stats("upstream_cx_active")).get(active) ?? 0) > 0);
    }
  }
}

async function checksIdentity({ client, app, port, out }: Scene): Promise<void> {
  const other = "spiffe://td.test/ns/shop/sa/other";
  const table: readonly (readonly [sans: readonly string[], isTaken: boolean])[] = [
    [[serverId], true],
    [[other], false],
    [[other, serverId], true],
    [[`${serverId}2`], false],
    [[serverId.slice(0, -1)], false],
    // Nobody was said: anybody of the mesh.
    [[], true],
  ];
  for (const [sans, isTaken] of table) {
    const cluster = { ...meshCluster({ port }, "http"), mtls: { sni: "a.b", sans } };
    await client.apply({ clusters: [cluster], outbound: [outboundPort(out, "http", { port })] });
    const before = app.seen.length;
    assert.match(await callHost(out), isTaken ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 503 /);
    assert.equal(app.seen.length - before, isTaken ? 1 : 0);
  }
}

async function routesByHost({ client, port, out }: Scene): Promise<void> {
  const [outbound] = [outboundPort(out, "http", { port })];
  const domains = ["server.shop.svc", `server.shop.svc:${out}`, "server"];
  const routes = [{ domains, cluster: clusterName({ port }) }];
  await client.apply({
    clusters: [meshCluster({ port }, "http")],
    outbound: [{ ...outbound, routes }],
  });
  for (const host of domains) assert.match(await callHost(out, host), /^HTTP\/1\.1 200 /);
  for (const host of ["other.shop.svc", "server.shop", "server.shop.svc:1"]) {
    assert.match(await callHost(out, host), /^HTTP\/1\.1 404 /);
  }
}

async function takesAllKinds({ client, directory }: Scene): Promise<void> {
  const socket = join(directory, "app.sock");
  const unix = { kind: "unix", path: socket } as const;
  const ip6 = { kind: "ip", host: "::1", port: 8080 } as const;
  const ports: number[] = [];
  while (ports.length < 8) ports.push(await freePort());
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = ports;
  const base = meshCluster({ port: 80 }, "tcp");
  const to = (name: string) => [{ domains: [], cluster: name }];
  const dns = { ...base, name: "outbound|1||dns.test", addresses: "dns" } as const;
  const remote = { address: "no-such-host.invalid", port: 80, weight: 1, sends: "mtls" } as const;
  const pipe = { address: `unix://${socket}`, port: 0, weight: 3, sends: "plaintext" } as const;
  await client.apply({
    inbound: [
      { ...inboundPort(a, "auto", "strict", unix), bind: "::" },
      { ...inboundPort(b, "http", "disable", ip6), bind: "::1", isHttp2: true },
      { ...inboundPort(c, "tcp", "permissive", ip6), bind: "0.0.0.0" },
    ],
    outbound: [
      { bind: "::1", port: d, protocol: "tcp", routes: to(base.name) },
      { bind: "127.0.0.1", port: e, protocol: "tcp", routes: to(dns.name) },
      { bind: "0.0.0.0", port: f, protocol: "http", routes: [] },
    ],
    clusters: [
      { ...base, endpoints: [...base.endpoints, pipe] },
      { ...dns, endpoints: [remote] },
      { ...base, name: "outbound|2||nobody.test", endpoints: [] },
    ],
  });
}

async function openScene(stack: AsyncDisposableStack, directory: string): Promise<Scene> {
  const mesh = new MeshPki(join(directory, "mesh"));
  const app = stack.use(await WatchingApp.listen(mesh.issueFor("app.test")));
  const [port, out] = [await freePort(), await freePort()];
  const server = await TestProxy.start(join(directory, "server"), mesh.secrets(serverId));
  stack.use(server);
  await server.apply({ inbound: [inboundPort(port, "http", "permissive", app.address)] });
  const client = await TestProxy.start(join(directory, "client"), mesh.secrets(clientId));
  stack.use(client);
  return { directory, app, port, out, client };
}
