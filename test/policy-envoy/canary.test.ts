/** The canary chain in a real Envoy: it proves that a certificate is taken, and lets nobody to an application. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { canaryServerName } from "../../src/core/envoy/canary-chain.ts";
import type { InboundPort, InboundProtocol } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { freePort } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { callTls, httpRequest } from "./caller.ts";
import { canaryId, clientId, MeshPki, serverId } from "./certificates.ts";
import { inboundPort } from "./policies.ts";
import { TestProxy } from "./proxy.ts";
import { WatchingApp } from "./watching-app.ts";

const modes: readonly ServerMode[] = ["disable", "permissive", "strict"];
const protocols: readonly InboundProtocol[] = ["tcp", "http", "auto"];
const offers = [[], ["istio"], ["istio-http/1.1", "istio", "http/1.1"], ["http/1.1"]] as const;

test("the canary chain of a real Envoy", { timeout: 30_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const mesh = new MeshPki(join(directory.path, "mesh"));
  const app = stack.use(await WatchingApp.listen(mesh.issueFor("app.test")));
  const inbound: InboundPort[] = [];
  for (const protocol of protocols) {
    for (const mode of modes) {
      inbound.push(inboundPort(await freePort(), protocol, mode, app.address));
    }
  }
  const server = await TestProxy.start(join(directory.path, "server"), mesh.secrets(serverId));
  stack.use(server);
  await server.apply({ inbound });
  const [canary, workload] = [mesh.issue(canaryId), mesh.issue(clientId)];
  const stranger = new MeshPki(join(directory.path, "stranger")).issue(canaryId);
  const serverName = canaryServerName;

  await t.test("answers the canary on every port in every mode, whatever it offers", async () => {
    for (const { port } of inbound) {
      for (const alpn of offers) {
        const call = { credential: canary, serverName, alpn };
        assert.match((await callTls(port, httpRequest, call)).text, /^HTTP\/1\.1 200 OK/);
      }
    }
  });
  await t.test("refuses everybody else there", async () => {
    for (const { port } of inbound) {
      for (const credential of [workload, stranger]) {
        const { text, broke } = await callTls(port, httpRequest, { credential, serverName });
        assert.equal(text, "");
        assert.match(broke ?? "", /UNKNOWN/);
      }
      assert.match(
        (await callTls(port, httpRequest, { serverName })).broke ?? "",
        /CERTIFICATE_REQUIRED/,
      );
    }
  });
  await t.test("reaches no application", () => assert.deepEqual(app.seen, []));
  await t.test("has a certificate that no application's chain takes", async () => {
    for (const { port, mode } of inbound) {
      if (mode === "disable") continue;
      const alpn = ["istio-http/1.1", "istio", "http/1.1"];
      const call = { credential: canary, serverName: "server.shop.svc", alpn };
      assert.match((await callTls(port, httpRequest, call)).broke ?? "", /CERTIFICATE_UNKNOWN/);
    }
    assert.deepEqual(app.seen, []);
  });
  await t.test("leaves calls of other names to their own chains", async () => {
    for (const { port, mode, protocol } of inbound) {
      for (const name of [undefined, "portcullis", "a.canary.portcullis", "outbound_.80_._.a.b"]) {
        const alpn = protocol === "tcp" ? ["istio"] : ["istio-http/1.1"];
        const serves = name === undefined ? {} : { serverName: name };
        const call = { credential: workload, alpn, ...serves };
        const { text } = await callTls(port, httpRequest, call);
        const isServed = mode !== "disable" || protocol !== "http";
        assert.equal(text.endsWith("pong"), isServed, `${mode} ${protocol} ${name}`);
      }
    }
  });
});
