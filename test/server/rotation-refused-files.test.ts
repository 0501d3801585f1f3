/** A CA on disk that has to wait for a rotation, and what is said of the files meanwhile. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { reloadOnChange } from "../../src/app/server/reload.ts";
import { fetchStatus } from "../../src/edge/rpc/admin-client.ts";
import {
  eventually,
  startControlPlane,
  testConfig,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { logRecorder } from "../support/log-recorder.ts";
import { OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVerb } from "./portcullis-process.ts";
import * as rig from "./rotation-rig.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const [a, b, c] = [pki.root("a"), pki.root("b"), pki.root("c")];
const files = (signing: PkiNode, ...roots: readonly PkiNode[]): Record<string, string> => ({
  "ca-cert.pem": signing.certPem,
  "ca-key.pem": signing.keyPem,
  "root-cert.pem": [signing, ...roots].map(({ certPem }) => certPem).join(""),
});

function put(directory: string, contents: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(directory, name), text);
}

describe("files of a CA while a rotation is on", () => {
  const start = async (caDir: string): Promise<TestControlPlane> =>
    await startControlPlane({ flags: { "ca-dir": caDir, unobserved: "files" } });

  it("are told by what they are of: the CA that was read, and no root as unused that signs", async () => {
    const caDir = pki.directory(files(a));
    await using it = await start(caDir);
    const { log, events } = logRecorder();
    using _ = reloading(it, caDir, log);
    const signing = it.controlPlane.trust.state.authorities[0]?.id;
    put(caDir, files(b, a));
    const reloaded = await eventually(() => events.find(({ event }) => event === "ca-reloaded"));
    assert.notEqual(reloaded["authority"], signing);
    assert.equal(reloaded["state"], "prepared");
    const unused = it.log.filter(({ code }) => code === "ca-root-unused");
    assert.deepEqual(unused, []);
  });

  it("that go back to the CA that signs do not wait for it", async () => {
    const caDir = pki.directory(files(a));
    await using it = await start(caDir);
    put(caDir, files(b));
    await it.controlPlane.reloadTrust();
    const waiting = async () =>
      (await fetchStatus(it.controlPlane.endpoints.admin)).reloadRefusals.length;
    assert.equal(await waiting(), 1);
    put(caDir, files(a));
    await it.controlPlane.reloadTrust();
    assert.equal(await waiting(), 0);
  });

  it("that were refused are told by `root status`, and read again when it ends", async () => {
    const caDir = pki.directory(files(a));
    await using it = await start(caDir);
    const { log } = logRecorder();
    using _ = reloading(it, caDir, log);
    put(caDir, files(b));
    await eventually(() => rig.states(it).join() === "active,prepared");
    put(caDir, files(c));
    const shown = await eventually(async () => {
      const { status, stdout } = await runVerb(["root", "status", "--data-dir", it.config.dataDir]);
      assert.equal(status, 3);
      return stdout.includes("the CA on disk was refused") && stdout;
    });
    assert.match(
      shown,
      /^the CA on disk was refused .*, and an older one runs: expected no rotation/m,
    );
    await rig.step(it, "abort");
    await eventually(() => rig.states(it).join() === "active,prepared");
    await eventually(async () => (await rig.status(it)).reloadRefusals.length === 0);
  });
});

function reloading(
  { controlPlane, config }: TestControlPlane,
  caDir: string,
  log: ReturnType<typeof logRecorder>["log"],
): Disposable {
  return reloadOnChange(controlPlane, {
    configFile: undefined,
    caDir,
    loadConfig: () => Promise.resolve(testConfig(config.dataDir, { "ca-dir": caDir })),
    log,
    nowMs: Date.now,
    times: { pollMs: 50, quietMs: { configuration: 50, ca: 50 }, retryMs: 600_000 },
  });
}
