/** A real Envoy whose listeners are not ours asks the agent, with the filters as docs/ext-authz.md has them. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { bootstrapFrame } from "../../src/core/envoy/bootstrap.ts";
import {
  downstreamTls,
  sdsCluster,
  sdsService,
  type EnvoyObject,
} from "../../src/core/envoy/tls-context.ts";
import { emptyPolicy } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { startEnvoy, type EnvoyProcess } from "../../src/edge/envoy/process.ts";
import {
  callPlain,
  callTls,
  httpRequest,
  tcpMessage,
  type TlsCall,
} from "../policy-envoy/caller.ts";
import { canaryId, clientId, MeshPki, serverId } from "../policy-envoy/certificates.ts";
import { trustDomain } from "../policy-envoy/proxy.ts";
import { WatchingApp } from "../policy-envoy/watching-app.ts";
import { freePort, testEnvoy } from "../support/envoy.ts";
import { secretSnapshot } from "../support/sds-server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { PolicyServicesRig } from "./policy-services-rig.ts";

const [network, http] = documentedFilters();

type Caller = "plaintext" | "mtls" | "canary";
type Outcome = "served" | "refused";

const outcomes: readonly (readonly [ServerMode, Readonly<Record<Caller, Outcome>>])[] = [
  ["permissive", { plaintext: "served", mtls: "served", canary: "refused" }],
  ["strict", { plaintext: "refused", mtls: "served", canary: "refused" }],
  ["disable", { plaintext: "served", mtls: "served", canary: "served" }],
];

test("ext_authz in a real Envoy", { timeout: 60_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const { rig, app, call } = await openScene(stack, directory.path);

  await t.test("lets nobody in before there is a policy", async () => {
    for (const kind of ["tcp", "http"] as const) assert.equal(await call(kind, "mtls"), "refused");
    const [user] = rig.feed.feed.users;
    assert.deepEqual(user?.proxy, { proxyId: "web-0", spiffeId: undefined });
    assert.equal(user?.hasListeners, false);
  });
  for (const [mode, wanted] of outcomes) {
    await t.test(
      `lets in whom ${mode} takes, and nobody else reaches the application`,
      async () => {
        const modes = { other: mode, ports: new Map() };
        const digest = rig.feed.feed.give({ ...emptyPolicy, modes });
        assert.equal(rig.feed.feed.acked.at(-1), digest);
        for (const caller of ["plaintext", "mtls", "canary"] as const) {
          for (const kind of ["tcp", "http"] as const) {
            const seen = app.seen.length;
            assert.equal(await call(kind, caller), wanted[caller], `${kind} ${caller}`);
            const said = app.seen.slice(seen).filter((each) => each !== "nothing said");
            assert.equal(said.length, wanted[caller] === "served" ? 1 : 0, `${kind} ${caller}`);
          }
        }
      },
    );
  }
  await t.test("says in the log who was kept out, once", () => {
    const denied = rig.lines.filter(({ event }) => event === "call-denied");
    const reasons = new Set(denied.map(({ reason }) => reason));
    assert.deepEqual(reasons, new Set(["foreign-identity", "no-identity", "no-policy"]));
    assert.equal(denied.length, 6, "for each reason and port");
  });
  await t.test("lets nobody in without the agent", async () => {
    rig[Symbol.dispose]();
    for (const kind of ["tcp", "http"] as const) assert.equal(await call(kind, "mtls"), "refused");
  });
});

interface Scene {
  readonly rig: PolicyServicesRig;
  readonly app: WatchingApp;
  readonly call: (kind: "tcp" | "http", caller: Caller) => Promise<Outcome>;
}

async function openScene(stack: AsyncDisposableStack, directory: string): Promise<Scene> {
  const mesh = new MeshPki(join(directory, "mesh"));
  const rig = stack.use(
    new PolicyServicesRig(join(directory, "sds.sock"), SpiffeId.parse(serverId)),
  );
  await rig.start();
  rig.publish(secretSnapshot(mesh.secrets(serverId)));
  const app = stack.use(await WatchingApp.listen(mesh.issue(serverId)));
  const ports = { tcp: await freePort(), http: await freePort() };
  const envoy = stack.use(await startAsking(directory, app, ports));
  await envoy.waitUntilLive(AbortSignal.timeout(10_000));
  const tls: Readonly<Record<Exclude<Caller, "plaintext">, TlsCall>> = {
    mtls: { credential: mesh.issue(clientId) },
    canary: { credential: mesh.issue(canaryId) },
  };
  const call = async (kind: "tcp" | "http", caller: Caller): Promise<Outcome> => {
    const [port, say] = [ports[kind], kind === "tcp" ? tcpMessage : httpRequest];
    const answer =
      caller === "plaintext" ? await callPlain(port, say) : await callTls(port, say, tls[caller]);
    if (answer.text.includes("pong")) return "served";
    if (kind === "http") assert.match(answer.text, /^HTTP\/1\.1 403 Forbidden\r\n/);
    else assert.equal(answer.text, "");
    return "refused";
  };
  return { rig, app, call };
}

async function startAsking(
  directory: string,
  app: WatchingApp,
  ports: { readonly tcp: number; readonly http: number },
): Promise<EnvoyProcess> {
  const sdsSocketPath = join(directory, "sds.sock");
  const adminSocketPath = join(directory, "admin.sock");
  const bootstrap = {
    ...bootstrapFrame({ nodeId: "web-0", nodeCluster: "shop", sdsSocketPath, adminSocketPath }),
    static_resources: {
      listeners: [
        listener(ports.tcp, [network, tcpProxy]),
        listener(ports.http, [httpManager(http)]),
      ],
      clusters: [sdsCluster(sdsSocketPath), appCluster(app)],
    },
  };
  const own = join(directory, "envoy");
  mkdirSync(own);
  return startEnvoy({ binary: await testEnvoy(), bootstrap, adminSocketPath, directory: own });

  function listener(port: number, filters: readonly EnvoyObject[]): EnvoyObject {
    const socket = downstreamTls(trustDomain, sdsService(sdsSocketPath, { kind: "none" }));
    const chain = (transport: string, more: EnvoyObject): EnvoyObject => ({
      filter_chain_match: { transport_protocol: transport },
      filters,
      ...more,
    });
    return {
      name: `port-${port}`,
      address: { socket_address: { address: "127.0.0.1", port_value: port } },
      listener_filters: [extension("filters.listener.tls_inspector.v3.TlsInspector", {})],
      filter_chains: [chain("tls", { transport_socket: socket }), chain("raw_buffer", {})],
    };
  }
}

const tcpProxy = extension("filters.network.tcp_proxy.v3.TcpProxy", {
  stat_prefix: "app",
  cluster: "app",
  upstream_connect_mode: "ON_DOWNSTREAM_DATA",
  max_early_data_bytes: 1_024,
});

function httpManager(filter: EnvoyObject): EnvoyObject {
  const type = "filters.network.http_connection_manager.v3.HttpConnectionManager";
  const routes = [{ match: { prefix: "/" }, route: { cluster: "app" } }];
  return extension(type, {
    stat_prefix: "app",
    route_config: { virtual_hosts: [{ name: "app", domains: ["*"], routes }] },
    http_filters: [filter, extension("filters.http.router.v3.Router", {})],
  });
}

function appCluster({ address }: WatchingApp): EnvoyObject {
  assert(address.kind === "ip");
  const endpoint = {
    address: { socket_address: { address: address.host, port_value: address.port } },
  };
  const endpoints = [{ lb_endpoints: [{ endpoint }] }];
  return { name: "app", type: "STATIC", load_assignment: { cluster_name: "app", endpoints } };
}

function extension(type: string, config: EnvoyObject): EnvoyObject {
  const name = type.split(".").at(-1);
  return {
    name,
    typed_config: { "@type": `type.googleapis.com/envoy.extensions.${type}`, ...config },
  };
}

/** For TCP, and for HTTP. */
function documentedFilters(): readonly [EnvoyObject, EnvoyObject] {
  const text = readFileSync(join(import.meta.dirname, "../../docs/ext-authz.md"), "utf8");
  const [first, second, ...more] = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = ""]) =>
    parse(yaml),
  );
  assert.equal(more.length, 0);
  return [first, second];
}
