import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, test } from "node:test";

import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { EndpointsError, writeEndpoints } from "../../edge/config/endpoints.ts";
import { defaultDevDataDir, type Environment } from "../../edge/config/paths.ts";
import { targetName } from "../../edge/rpc/admin-target.ts";
import { resolveAdminAddress, type ConnectionValues, type Reach } from "./admin-address.ts";

const reach = (env: Environment): Reach => ({ env, signal: new AbortController().signal });

async function publish(dataDir: string, admin: string, pid: number = process.pid): Promise<void> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  await writeEndpoints(dataDir, { pid, ca: "h:1", admin, metrics: "http://h:2" });
}

test("prefers --admin, then --data-dir, then the environment, then dev's directory", async () => {
  using directory = temporaryDirectory();
  const env = { TMPDIR: directory.path, PORTCULLIS_ADMIN: "unix:///from-env" };
  const dataDir = join(directory.path, "data");
  await publish(dataDir, "unix:///from-data-dir");
  await publish(defaultDevDataDir(env), "unix:///from-dev");
  const all = { admin: "unix:///from-flag", "data-dir": dataDir };
  const none = { admin: undefined, "data-dir": undefined };
  assert.equal(await resolveAdminAddress(all, reach(env)), "unix:///from-flag");
  assert.equal(
    await resolveAdminAddress({ ...all, admin: undefined }, reach(env)),
    "unix:///from-data-dir",
  );
  assert.equal(await resolveAdminAddress(none, reach(env)), "unix:///from-env");
  const { TMPDIR } = env;
  assert.equal(await resolveAdminAddress(none, reach({ TMPDIR })), "unix:///from-dev");
});

test("says how to start a server when there is none", async () => {
  using directory = temporaryDirectory();
  const none = { admin: undefined, "data-dir": undefined };
  await assert.rejects(resolveAdminAddress(none, reach({ TMPDIR: directory.path })), (error) => {
    assert.ok(error instanceof EndpointsError);
    assert.equal(error.code, "endpoints-missing");
    assert.match(error.hint ?? "", /portcullis dev/);
    return true;
  });
});

describe("a server in a cluster", () => {
  const nobody = { admin: undefined, "data-dir": undefined };
  const nameOf = async (flags: Partial<ConnectionValues>, env: Environment): Promise<string> =>
    targetName(await resolveAdminAddress({ ...nobody, ...flags }, reach(env)));
  const codeOf = async (flags: Partial<ConnectionValues>, env: Environment): Promise<unknown> =>
    nameOf(flags, env).then(
      () => "found",
      (error: { readonly code?: unknown }) => error.code,
    );

  it("goes before the environment where a flag says it, in whatever namespace and context", async () => {
    const env = { PORTCULLIS_ADMIN: "unix:///from-env" };
    const flags = { kubeconfig: "/etc/kubeconfig", context: "prod", "kube-namespace": "mesh" };
    assert.equal(await nameOf(flags, env), "namespace mesh by context prod of /etc/kubeconfig");
    const { kubeconfig } = flags;
    assert.equal(
      await nameOf({ kubeconfig }, env),
      "namespace portcullis-system by /etc/kubeconfig",
    );
  });

  it("is not meant beside another server", async () => {
    for (const other of [{ admin: "unix:///a" }, { "data-dir": "/srv/a" }]) {
      assert.equal(await codeOf({ ...other, context: "prod" }, {}), "usage-invalid-value");
    }
  });

  it("is the kubeconfig's where nothing else is said and no dev runs, by KUBECONFIG before HOME", async () => {
    using directory = temporaryDirectory();
    const [home, named] = [join(directory.path, "home"), join(directory.path, "named")];
    mkdirSync(join(home, ".kube"), { recursive: true });
    for (const file of [join(home, ".kube", "config"), named]) writeFileSync(file, "");
    const env = { TMPDIR: directory.path, HOME: home };
    const place = "namespace portcullis-system by";
    assert.equal(await nameOf({}, env), `${place} ${join(home, ".kube", "config")}`);
    const missing = join(directory.path, "missing");
    const both = { ...env, KUBECONFIG: `${missing}:${named}` };
    assert.equal(await nameOf({}, both), `${place} ${named}`);
    assert.equal(await codeOf({}, { ...env, KUBECONFIG: missing }), "endpoints-missing");
    await publish(defaultDevDataDir(env), "unix:///from-dev");
    assert.equal(await nameOf({}, both), "unix:///from-dev");
  });

  it("never takes the place of a server that was named, or of a dev that has died", async () => {
    using directory = temporaryDirectory();
    const kubeconfig = join(directory.path, "config");
    writeFileSync(kubeconfig, "");
    const env = { TMPDIR: directory.path, KUBECONFIG: kubeconfig };
    assert.equal(await codeOf({ "data-dir": directory.path }, env), "endpoints-missing");
    await publish(defaultDevDataDir(env), "unix:///from-dev", 2 ** 22);
    assert.equal(await codeOf({}, env), "endpoints-stale");
  });

  it("is refused before anybody is asked where its names could not be", async () => {
    const kubeconfig = "/etc/kubeconfig";
    for (const name of ["a/b", "", "..", "A"]) {
      assert.equal(await codeOf({ kubeconfig, "kube-namespace": name }, {}), "usage-invalid-value");
      assert.equal(
        await codeOf({ kubeconfig, "service-account": name }, {}),
        "usage-invalid-value",
      );
    }
  });

  it("is said to have been looked for", async () => {
    assert.equal(await codeOf({ context: "prod" }, {}), "usage-invalid-value");
    using directory = temporaryDirectory();
    await assert.rejects(nameOf({}, { TMPDIR: directory.path }), {
      hint: /portcullis dev[^]*no kubeconfig either: .*KUBECONFIG and in ~\/\.kube\/config/,
    });
  });
});
