/** How an Envoy that does not come up is reported; test/envoy-sds.test.ts has those that do. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { envoyBootstrap } from "../../core/envoy/bootstrap.ts";
import { parseInbound } from "../../core/envoy/listen.ts";
import type { EnvoyObject } from "../../core/envoy/tls-context.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { freePort, testEnvoy } from "../../../test/support/envoy.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { EnvoyProcessError, startEnvoy, type StartEnvoyOptions } from "./process.ts";

test("reports a binary that cannot be started", async () => {
  using directory = temporaryDirectory();
  const missing = join(directory.path, "missing");
  await assertFails(startEnvoy(options(directory.path, missing, {})), "envoy-spawn-failed");
});

test("reports why Envoy exited", async () => {
  using directory = temporaryDirectory();
  const broken = { static_resources: { listeners: "none" } };
  await using envoy = await startEnvoy(options(directory.path, await testEnvoy(), broken));
  await assertFails(envoy.waitUntilLive(AbortSignal.timeout(10_000)), "envoy-exited");
});

test("reports an Envoy that waits for its secrets, and stops it", async () => {
  using directory = temporaryDirectory();
  const bootstrap = envoyBootstrap({
    nodeId: "proxy-1",
    nodeCluster: "shop",
    trustDomain: TrustDomain.parse("td.test"),
    sdsSocketPath: join(directory.path, "sds.sock"),
    adminSocketPath: join(directory.path, "admin.sock"),
    inbound: [parseInbound(`127.0.0.1:${await freePort()}=127.0.0.1:1`)],
    outbound: [],
  });
  const envoy = await startEnvoy(options(directory.path, await testEnvoy(), bootstrap));
  const error = await assertFails(
    envoy.waitUntilLive(AbortSignal.timeout(1_000)),
    "envoy-not-live",
  );
  assert.match(error.message, /INITIALIZING/);
  await envoy.stop();
  await envoy.stop();
  await assertFails(envoy.waitUntilLive(AbortSignal.timeout(1_000)), "envoy-exited");
});

function options(directory: string, binary: string, bootstrap: EnvoyObject): StartEnvoyOptions {
  return { binary, bootstrap, directory, adminSocketPath: join(directory, "admin.sock") };
}

async function assertFails(promise: Promise<unknown>, code: string): Promise<EnvoyProcessError> {
  const error: unknown = await promise.then(
    () => assert.fail(`expected ${code}`),
    (cause: unknown) => cause,
  );
  assert(error instanceof EnvoyProcessError);
  assert.equal(error.code, code);
  return error;
}
