/** TLS that a real Envoy begins with a server outside of the mesh. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import type { OutboundCluster } from "../../src/core/policy/proxy-policy.ts";
import type { ClientTls } from "../../src/core/resources/client-tls.ts";
import { freePort } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { callHost } from "./caller.ts";
import { clientId, MeshPki } from "./certificates.ts";
import { TestProxy } from "./proxy.ts";

const simple: ClientTls = {
  mode: "SIMPLE",
  sni: undefined,
  subjectAltNames: [],
  caCertificates: undefined,
  clientCertificate: undefined,
  privateKey: undefined,
  insecureSkipVerify: false,
};

test("a real Envoy begins TLS of the web as the rule says", { timeout: 30_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const mesh = new MeshPki(join(directory.path, "mesh"));
  const server = await webServer(mesh);
  stack.defer(() => void server.close());
  const client = await TestProxy.start(join(directory.path, "client"), mesh.secrets(clientId));
  stack.use(client);
  const file = (name: string, pem: string): string => {
    const path = join(directory.path, name);
    writeFileSync(path, pem);
    return path;
  };
  const caCertificates = file("ca.pem", mesh.rootPem);
  const own = mesh.issue("spiffe://td.test/ns/shop/sa/caller");
  const clientCertificate = file("own.pem", own.cert);
  const privateKey = file("own.key", own.key);
  const mutual = { mode: "MUTUAL", caCertificates, clientCertificate, privateKey } as const;
  const other = { caCertificates, sni: "other.test" };
  const table: readonly (readonly [string, Partial<ClientTls>, RegExp])[] = [
    ["by the host's name", { caCertificates }, asked("nobody", "web.test")],
    ["not by another SNI", other, unavailable],
    ["by a SAN", { ...other, subjectAltNames: ["web.test"] }, asked("nobody", "other.test")],
    ["not by another SAN", { caCertificates, subjectAltNames: ["other.test"] }, unavailable],
    ["not by the system's roots, which do not know the CA", {}, unavailable],
    [
      "by nothing, where the rule says so",
      { insecureSkipVerify: true },
      asked("nobody", "web.test"),
    ],
    ["with a certificate of its own", mutual, asked(`URI:${own.id}`, "web.test")],
  ];
  const out = await freePort();
  for (const [title, tls, answer] of table) {
    await t.test(title, async () => {
      const cluster = clusterFor(server, { ...simple, ...tls });
      const routes = [{ domains: ["*"], cluster: cluster.name }];
      const outbound = [{ bind: "127.0.0.1", port: out, protocol: "http", routes } as const];
      await client.apply({ clusters: [cluster], outbound });
      assert.match(await callHost(out), answer);
    });
  }
});

const unavailable = /^HTTP\/1\.1 503 /;

function asked(who: string, serverName: string): RegExp {
  return new RegExp(`${who} asked for ${serverName}$`);
}

function clusterFor(server: Server, origination: ClientTls): OutboundCluster {
  const address = server.address();
  assert(address !== null && typeof address === "object");
  return {
    name: "outbound|443||web.test",
    addresses: "dns",
    isHttp2: false,
    protocol: "http",
    mtls: undefined,
    origination,
    endpoints: [{ address: "127.0.0.1", port: address.port, weight: 1, sends: "tls" }],
  };
}

/** Answers with the name that it was asked for, and who asked. */
async function webServer(mesh: MeshPki): Promise<Server> {
  const { cert, key } = mesh.issueFor("web.test");
  const options = { cert, key, ca: mesh.rootPem, requestCert: true, rejectUnauthorized: false };
  const server = createServer(options, ({ socket }, response) => {
    const tls = socket as TLSSocket & { readonly servername?: string };
    const who = tls.getPeerCertificate().subjectaltname ?? "nobody";
    response.end(`${who} asked for ${tls.servername}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
