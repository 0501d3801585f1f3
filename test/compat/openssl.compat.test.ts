/** `openssl s_client` against each port that speaks TLS. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { HelloApp } from "../support/envoy.ts";
import { runVerb } from "../support/mesh-process.ts";
import { ControlPlaneProcess, Workload } from "../support/mesh.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { sClient } from "./s-client.ts";

interface Scene {
  readonly controlPlane: ControlPlaneProcess;
  readonly server: Workload;
  /** With what `svid fetch` wrote. */
  readonly fetched: string;
}

const versions = [
  ["TLSv1.2", "-tls1_2"],
  ["TLSv1.3", "-tls1_3"],
] as const;
const serverName = "istiod.istio-system.svc";

const steps: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
  ...versions.map(([version, flag]): (typeof steps)[number] => [
    `the CA's port proves itself over ${version}`,
    async ({ controlPlane }) => {
      const connect = ["-connect", controlPlane.address, "-servername", serverName];
      const verify = ["-CAfile", join(controlPlane.dataDir, "root-cert.pem")];
      const name = ["-verify_hostname", serverName];
      const said = await sClient([...connect, ...verify, ...name, "-alpn", "h2", flag]);
      assert.match(said, /Verification: OK/);
      assert.match(said, new RegExp(`^New, ${version}, `, "m"));
      assert.match(said, new RegExp(`Verified peername: ${serverName}`));
      assert.match(said, /ALPN protocol: h2/);
    },
  ]),
  [
    "the CA's port refuses TLS 1.1",
    async ({ controlPlane }) => {
      const args = ["-connect", controlPlane.address, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
      assert.match(await sClient(args), /alert protocol version/);
    },
  ],
  [
    "an Envoy lets in who has what `svid fetch` wrote, and proves itself",
    async ({ server, fetched }) => {
      const file = (name: string): string => join(fetched, name);
      const connect = ["-connect", `127.0.0.1:${server.inbound}`, "-CAfile", file("bundle.pem")];
      const identity = ["-cert", file("svid.pem"), "-key", file("key.pem")];
      const said = await sClient([...connect, ...identity, "-ign_eof"]);
      assert.match(said, /Verification: OK/);
      assert.match(said, /^hello/m);
      const stranger = await sClient([...connect, "-ign_eof"]);
      assert.doesNotMatch(stranger, /^hello/m);
      assert.match(stranger, /alert certificate required/);
    },
  ],
];

test("openssl s_client", { timeout: 60_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const appPort = await stack.use(new HelloApp()).listen();
  const controlPlane = stack.use(await ControlPlaneProcess.create(directory.path, "1h"));
  await controlPlane.start();
  const server = stack.use(await Workload.create(controlPlane, { name: "server", appPort }));
  await server.startAgent();
  await server.startEnvoy();
  await server.waitUntilLive();
  const fetched = join(directory.path, "fetched");
  const who = ["-n", "shop", "-s", "web", "--data-dir", controlPlane.dataDir, "--out", fetched];
  assert.equal((await runVerb("svid", "fetch", ...who)).exitCode, 0);
  const scene: Scene = { controlPlane, server, fetched };
  for (const [title, run] of steps) await t.test(title, async () => run(scene));
});
