import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { EndpointsError, writeEndpoints } from "../../edge/config/endpoints.ts";
import { defaultDevDataDir } from "../../edge/config/paths.ts";
import { resolveAdminAddress } from "./admin-address.ts";

async function publish(dataDir: string, admin: string): Promise<void> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  await writeEndpoints(dataDir, { pid: process.pid, ca: "h:1", admin, metrics: "http://h:2" });
}

test("prefers --admin, then --data-dir, then the environment, then dev's directory", async () => {
  using directory = temporaryDirectory();
  const env = { TMPDIR: directory.path, PORTCULLIS_ADMIN: "unix:///from-env" };
  const dataDir = join(directory.path, "data");
  await publish(dataDir, "unix:///from-data-dir");
  await publish(defaultDevDataDir(env), "unix:///from-dev");
  const all = { admin: "unix:///from-flag", "data-dir": dataDir };
  const none = { admin: undefined, "data-dir": undefined };
  assert.equal(await resolveAdminAddress(all, env), "unix:///from-flag");
  assert.equal(
    await resolveAdminAddress({ ...all, admin: undefined }, env),
    "unix:///from-data-dir",
  );
  assert.equal(await resolveAdminAddress(none, env), "unix:///from-env");
  const { TMPDIR } = env;
  assert.equal(await resolveAdminAddress(none, { TMPDIR }), "unix:///from-dev");
});

test("says how to start a server when there is none", async () => {
  using directory = temporaryDirectory();
  const none = { admin: undefined, "data-dir": undefined };
  await assert.rejects(resolveAdminAddress(none, { TMPDIR: directory.path }), (error) => {
    assert.ok(error instanceof EndpointsError);
    assert.equal(error.code, "endpoints-missing");
    assert.match(error.hint ?? "", /portcullis dev/);
    return true;
  });
});
