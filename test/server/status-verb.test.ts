/** `status` with a real server: the table, the JSON, and what it warns of. */

import assert from "node:assert/strict";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { eventually, startControlPlane } from "../support/control-plane.ts";
import type { TestControlPlane } from "../support/control-plane.ts";
import { meshIdentity, openMeshStream } from "./mesh-client.ts";
import { runVerb as run } from "./portcullis-process.ts";

describe("with a server", () => {
  let it: TestControlPlane;
  before(async () => {
    it = await startControlPlane();
  });
  after(() => it[Symbol.asyncDispose]());
  const path = (file: string): string => join(it.config.dataDir, file);

  test("status shows what proxies proved, and warns of those that are in trouble", async () => {
    const where = ["--data-dir", it.config.dataDir];
    const quiet = await run(["status", ...where]);
    assert.equal(quiet.status, 0);
    assert.match(
      quiet.stdout,
      /^portcullis 0\.0\.0-test, trust domain cluster\.local, up \d+s\ntrust bundle 1; 0 agents/,
    );
    assert.match(
      quiet.stdout,
      /\nAUTHORITY +STATE +KEY +EXPIRES\n[0-9a-f]{40} +active +ec-p256 +in 36[45]\dd\S*\n/,
    );
    assert.match(quiet.stdout, /\nno proxies yet: /);

    using stream = openMeshStream(it, await meshIdentity(it, "pay"));
    const held = {
      streamId: 1n,
      bundleSequence: 1n,
      ackedAt: timestampFromMs(Date.now()),
      resourceName: "default",
      certificate: { serial: "0a0b", notAfter: timestampFromMs(Date.now() + 3_600_000) },
    };
    const roots = { ...held, resourceName: "ROOTCA", certificate: undefined } as never;
    const proxies = [{ proxyId: "sidecar~pay", subscriptions: [held, roots] }];
    stream.hello("agent-1");
    stream.report({ sequence: 1n, full: true, proxies });
    await eventually(() => stream.received.length === 2);
    const good = await run(["status", ...where]);
    assert.equal(good.status, 0);
    assert.match(
      good.stdout,
      /\nPROXY +IDENTITY +SERIAL +EXPIRES +BUNDLE +LAST SEEN +TROUBLE\nsidecar~pay +spiffe:\S+\/sa\/pay +0a0b +in (?:59m\d+s|1h) +1 +connected +-\n/,
    );
    const nack = { version: "7", detail: "no key", at: timestampFromMs(Date.now()) };
    stream.report({
      sequence: 2n,
      proxies: [{ proxyId: "sidecar~pay", subscriptions: [{ ...held, nack }] }],
    });
    await eventually(() => stream.received.length === 3);
    const refused = await run(["status", ...where, "-o", "json"]);
    assert.equal(refused.status, 3);
    const value = JSON.parse(refused.stdout) as { proxies: Record<string, unknown>[] };
    const [proxy] = value.proxies;
    assert.deepEqual(
      [proxy?.["proxy"], proxy?.["agent"], proxy?.["serial"], proxy?.["bundleConfirmed"]],
      ["sidecar~pay", "agent-1", "0a0b", 1],
    );
    await stream.close();
    await eventually(async () =>
      (await run(["status", ...where])).stdout.includes("refused default: no key"),
    );
  });

  test("status says where it looked when nobody answers", async () => {
    const none = await run(["status", "--data-dir", path("nowhere"), "-o", "json"]);
    assert.equal(none.status, 1);
    const { error } = JSON.parse(none.stderr) as { error: Record<string, string> };
    assert.deepEqual(
      [error["code"], error["hint"]],
      ["endpoints-missing", "is it the server's --data-dir, and does the server run?"],
    );
    const gone = await run(["status", "--admin", `unix://${path("gone.sock")}`]);
    assert.equal(gone.status, 1);
    assert.match(
      gone.stderr,
      /^error: no server answers at unix:\/\/.*\nhint: name the running one by /,
    );
  });
});
