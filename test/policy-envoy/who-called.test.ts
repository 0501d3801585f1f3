/**
 * What an application is told of who called, whatever way a forged word of it comes in. Octets that are passed on are not looked at:
 * on a port without a protocol it is the caller who chooses that.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { InboundPort } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { freePort } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { callPlain, callTls, httpRequest, type Answer } from "./caller.ts";
import { clientId, MeshPki, serverId, type Credential } from "./certificates.ts";
import { inboundPort } from "./policies.ts";
import { TestProxy } from "./proxy.ts";
import { WatchingApp } from "./watching-app.ts";

type Told = "who called" | "no name" | "a forged name" | "nothing, refused" | "TLS, for itself";
type Way = (port: number, say: string, credential: Credential) => Promise<Answer>;

const mtls =
  (...alpn: readonly string[]): Way =>
  async (port, say, credential) =>
    callTls(port, say, { credential, alpn });
const plaintext: Way = async (port, say) => callPlain(port, say);
/** After the listener filters' time. */
const late: Way = async (port, say) => callPlain(port, say, 1_300);
const http = mtls("istio-http/1.1", "istio", "http/1.1");
const octets = mtls("istio");
const bare = mtls();

const modes: readonly ServerMode[] = ["disable", "permissive", "strict"];

/** By disable, permissive, strict. */
const table: readonly (readonly [
  protocol: "http" | "auto",
  title: string,
  way: Way,
  ...told: readonly [Told, Told, Told],
])[] = [
  ["http", "plaintext", plaintext, "no name", "no name", "nothing, refused"],
  ["http", "late plaintext", late, "no name", "no name", "nothing, refused"],
  ["http", "mTLS of HTTP", http, "nothing, refused", "who called", "who called"],
  ["http", "mTLS of octets", octets, "nothing, refused", "who called", "who called"],
  ["http", "mTLS without ALPN", bare, "nothing, refused", "nothing, refused", "who called"],
  ["auto", "plaintext", plaintext, "no name", "no name", "nothing, refused"],
  ["auto", "late plaintext", late, "a forged name", "a forged name", "nothing, refused"],
  ["auto", "mTLS of HTTP", http, "TLS, for itself", "no name", "no name"],
  ["auto", "mTLS of octets", octets, "TLS, for itself", "a forged name", "a forged name"],
  ["auto", "mTLS without ALPN", bare, "TLS, for itself", "TLS, for itself", "a forged name"],
];

test("an application behind a real Envoy", { timeout: 60_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const mesh = new MeshPki(join(directory.path, "mesh"));
  const credential = mesh.issue(clientId);
  const app = stack.use(await WatchingApp.listen(mesh.issueFor("app.test")));
  const inbound: InboundPort[] = [];
  for (const protocol of ["http", "auto"] as const) {
    for (const mode of modes) {
      inbound.push(inboundPort(await freePort(), protocol, mode, app.address));
    }
  }
  const secrets = mesh.secrets(serverId);
  const server = stack.use(await TestProxy.start(join(directory.path, "server"), secrets));
  await server.apply({ inbound });
  await Promise.all(
    table.flatMap(([protocol, title, way, ...told]) =>
      inbound
        .filter((each) => each.protocol === protocol)
        .map(async ({ port, mode }, at) => {
          const name = `${mode} ${protocol.toUpperCase()}, ${title}: it is told ${told[at]}`;
          const path = `/${mode}-${protocol}-${title.replaceAll(" ", "-")}`;
          await t.test(name, async () => {
            const { text } = await way(port, httpRequest.replace("/", path), credential);
            const request = app.said.find((said) => said.startsWith(`GET ${path} `));
            assert.equal(toldBy(request, text), told[at]);
          });
        }),
    ),
  );
});

function toldBy(request: string | undefined, answer: string): Told {
  if (request === undefined)
    return answer.endsWith("pong") ? "TLS, for itself" : "nothing, refused";
  const names = request.matchAll(/^x[-_]forwarded[-_]client[-_]cert: .*URI=(.*)\r$/gim);
  const [name, ...more] = [...names].map(([, each]) => each);
  if (name === undefined) return "no name";
  return name === clientId && more.length === 0 ? "who called" : "a forged name";
}
