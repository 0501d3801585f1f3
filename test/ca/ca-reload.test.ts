/** When a server reads the operator's CA again, what it says of that, and what it says where that is refused. */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { reloadOnChange } from "../../src/app/server/reload.ts";
import { runVerb } from "../server/portcullis-process.ts";
import { eventually, scrape, startControlPlane, testConfig } from "../support/control-plane.ts";
import type { TestControlPlane } from "../support/control-plane.ts";
import { logRecorder, type LogRecorder } from "../support/log-recorder.ts";
import { OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const times = { pollMs: 20, quietMs: { configuration: 100, ca: 400 }, retryMs: 60_000 };

describe("a reload of an operator's CA", () => {
  const temporary = temporaryDirectory();
  const pki = new OpensslPki(temporary.path);
  const root = pki.root("root");
  const first = pki.under(root, "first");
  const second = pki.under(root, "second");
  const files = ({ certPem, keyPem }: PkiNode) => ({
    "ca-cert.pem": certPem,
    "ca-key.pem": keyPem,
    "root-cert.pem": root.certPem,
  });
  const caDir = pki.directory(files(first));
  let it: TestControlPlane;
  let recorder: LogRecorder;
  let reloading: Disposable;
  before(async () => {
    it = await startControlPlane({ flags: { "ca-dir": caDir } });
    recorder = logRecorder();
    reloading = reloadOnChange(it.controlPlane, {
      configFile: undefined,
      caDir,
      loadConfig: async () => testConfig(it.config.dataDir, { "ca-dir": caDir }),
      log: recorder.log,
      nowMs: Date.now,
      times,
    });
  });
  after(async () => {
    reloading[Symbol.dispose]();
    await it[Symbol.asyncDispose]();
    temporary[Symbol.dispose]();
  });

  let seen = 0;
  beforeEach(() => (seen = recorder.events.length));
  const said = () => recorder.events.slice(seen);
  const saidOf = (event: string) => said().filter((each) => each["event"] === event);
  const put = (name: string, text: string): void => writeFileSync(join(caDir, name), text);
  const status = () => runVerb(["status", "--data-dir", it.config.dataDir]);
  const refusedCa = async (reason: string): Promise<number | undefined> =>
    (await scrape(it)).get(`portcullis_reload_refused{part="ca",reason="${reason}"}`);

  test("takes files that are copied one after the other as one change, and says which CA it is", async () => {
    for (const [name, text] of Object.entries(files(second))) {
      put(name, text);
      await setTimeout(times.quietMs.ca / 2);
    }
    await eventually(() => saidOf("ca-reloaded").length > 0);
    assert.deepEqual(
      said().map(({ event }) => event),
      ["ca-reloaded"],
    );
    const { serialNumber, validToDate } = new X509Certificate(second.certPem);
    const [{ authority, serial, notAfter } = {}] = said();
    assert.equal(serial, serialNumber.toLowerCase());
    assert.equal(notAfter, validToDate.toISOString());
    assert.ok((await status()).stdout.includes(`\n${String(authority)} `));
  });

  test("says of a state that it refuses once: in the log, in `status` and as a metric", async () => {
    put("ca-key.pem", first.keyPem);
    process.emit("SIGHUP");
    await eventually(() => saidOf("reload-refused").length > 0);
    await setTimeout(3 * times.quietMs.ca);
    const refusals = saidOf("reload-refused");
    assert.equal(refusals.length, 1);
    assert.deepEqual([refusals[0]?.["part"], refusals[0]?.["reason"]], ["ca", "ca-key-mismatch"]);
    assert.equal(refusals[0]?.["hint"], "replace both together: ca-key.pem and ca-cert.pem");
    const { status: code, stdout } = await status();
    assert.equal(code, 3);
    assert.match(
      stdout,
      /^the CA on disk was refused (?:now|\d+s ago), and an older one runs: ca-key\.pem: .*\nhint: replace both/m,
    );
    assert.equal(await refusedCa("ca-key-mismatch"), 1);
  });

  test("answers whoever asks again, and forgets a refusal when the files are good again", async () => {
    process.emit("SIGHUP");
    await eventually(() => saidOf("reload-refused").length === 1);
    put("ca-key.pem", second.keyPem);
    await eventually(() => saidOf("ca-unchanged").length === 1);
    assert.equal((await status()).status, 0);
    assert.equal(await refusedCa(""), 0);
  });

  test("says in `status` what to do about files that are gone, with a command for this server", async () => {
    renameSync(caDir, `${caDir}-away`);
    process.emit("SIGHUP");
    await eventually(() => saidOf("reload-refused").length > 0);
    const { stdout } = await status();
    renameSync(`${caDir}-away`, caDir);
    const next = `portcullis status --data-dir ${it.config.dataDir}`;
    assert.ok(
      stdout.includes(`\nhint: the server reads what is mended by itself: ${next}\n`),
      stdout,
    );
    process.emit("SIGHUP");
    await eventually(() => saidOf("ca-unchanged").length === 1);
  });

  test("renews and says nothing of what has not changed", async () => {
    const lines = it.log.length;
    process.emit("SIGHUP");
    await eventually(() => saidOf("ca-unchanged").length === 1);
    assert.deepEqual(
      said().map(({ event }) => event),
      ["configuration-unchanged", "ca-unchanged"],
    );
    assert.equal(it.log.length, lines);
  });
});
