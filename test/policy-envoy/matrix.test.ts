/** Who gets through a real Envoy's inbound port, in each mode: what the caller sees, and what reaches the application. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { InboundPort } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { freePort } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { callPlain, callTls, httpRequest, tcpMessage, type Answer } from "./caller.ts";
import { clientId, MeshPki, serverId } from "./certificates.ts";
import { inboundPort, meshCluster, outboundPort } from "./policies.ts";
import { TestProxy } from "./proxy.ts";
import { WatchingApp, type Seen } from "./watching-app.ts";

const modes: readonly ServerMode[] = ["disable", "permissive", "strict"];
const protocols = ["tcp", "http"] as const;
const callers = ["plaintext", "mTLS", "TLS", "stranger", "expired", "other domain"] as const;
type Protocol = (typeof protocols)[number];
type Caller = (typeof callers)[number];

/** What the caller reads, how his connection broke otherwise, and what the application saw. */
interface Outcome {
  readonly reads: RegExp;
  readonly breaks?: string;
  readonly appSees: Seen | "nothing";
}

const answered = { reads: /pong$/, appSees: "plaintext" } as const;
/** TLS went through to the application, which ended it. */
const passed = { reads: /pong$/, appSees: "tls" } as const;
/** TLS went through, and the caller's Envoy did not take the application's certificate. */
const distrusted = { reads: /^$/, breaks: "ECONNRESET", appSees: "tls" } as const;
/** No answer, and no connection to the application. */
const refused = (breaks: string): Outcome => ({ reads: /^$/, breaks, appSees: "nothing" });
const noChain = refused("ECONNRESET");
const noCertificate = refused("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
const unknownCa = refused("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA");
const isExpired = refused("ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED");
const notOurs = refused("ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN");
/** By the caller's own Envoy. */
const unavailable: Outcome = { reads: /^HTTP\/1\.1 503 /, appSees: "nothing" };

/** By disable, permissive, strict. */
const expected: Readonly<Record<Protocol, Record<Caller, readonly [Outcome, Outcome, Outcome]>>> = {
  tcp: {
    plaintext: [answered, answered, noChain],
    mTLS: [distrusted, answered, answered],
    TLS: [passed, passed, noCertificate],
    stranger: [passed, unknownCa, unknownCa],
    expired: [passed, isExpired, isExpired],
    "other domain": [passed, notOurs, notOurs],
  },
  http: {
    plaintext: [answered, answered, noChain],
    mTLS: [unavailable, answered, answered],
    TLS: [noChain, noChain, noCertificate],
    stranger: [noChain, unknownCa, unknownCa],
    expired: [noChain, isExpired, isExpired],
    "other domain": [noChain, notOurs, notOurs],
  },
};

interface Port {
  readonly mode: ServerMode;
  readonly protocol: Protocol;
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
      const { reads, breaks, appSees } = outcomeOf(port, caller);
      const title = `${mode} ${protocol.toUpperCase()}, ${caller}: the application sees ${appSees}`;
      await t.test(title, async () => {
        const before = app.seen.length;
        const { text, broke } = await call(caller, port);
        assert.match(text, reads);
        assert.equal(broke, breaks);
        assert.deepEqual(app.seen.slice(before), appSees === "nothing" ? [] : [appSees]);
      });
    }
  }
  await t.test("no refused caller reaches an application later", async () => {
    for (const port of ports) {
      const outcomes = callers.map((caller) => outcomeOf(port, caller).appSees);
      const want = outcomes.filter((appSees) => appSees !== "nothing");
      assert.deepEqual(port.app.seen, want);
      const name = `cluster.inbound|${port.inbound.port}.upstream_cx_total`;
      const stats = await server.envoy.stats("upstream_cx_total");
      assert.equal(stats.get(name) ?? 0, want.length);
    }
  });
  await t.test("an application learns who called over mTLS, and believes no caller's word", () => {
    for (const { app, protocol, mode } of ports) {
      const named = app.said.filter((said) => said.includes("x-forwarded-client-cert: "));
      assert.equal(named.length, protocol === "http" && mode !== "disable" ? 1 : 0);
      for (const said of named) assert.ok(said.includes(`;URI=${clientId}\r\n`), said);
    }
  });
});

function outcomeOf({ protocol, mode }: Port, caller: Caller): Outcome {
  const outcome = expected[protocol][caller][modes.indexOf(mode)];
  assert(outcome);
  return outcome;
}

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
    clusters: ports.map(({ inbound, protocol }) => meshCluster(inbound, protocol)),
    outbound: ports.map(({ inbound, protocol, outbound }) =>
      outboundPort(outbound, protocol, inbound),
    ),
  });
  const credentials = {
    stranger: new MeshPki(join(directory, "stranger")).issue(clientId),
    expired: mesh.issue(clientId, -1),
    "other domain": mesh.issue("spiffe://other.test/ns/shop/sa/client"),
  };
  const call = async (caller: Caller, { inbound, outbound, protocol }: Port): Promise<Answer> => {
    const say = protocol === "http" ? httpRequest : tcpMessage;
    if (caller === "plaintext") return callPlain(inbound.port, say);
    if (caller === "mTLS") return callPlain(outbound, say);
    if (caller === "TLS") return callTls(inbound.port, say);
    const alpn = protocol === "http" ? ["istio-http/1.1", "istio", "http/1.1"] : ["istio"];
    return callTls(inbound.port, say, { credential: credentials[caller], alpn });
  };
  return { ports, server, call };
}
