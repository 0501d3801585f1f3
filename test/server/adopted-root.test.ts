/** A root that came by `root adopt` is known as one, whatever becomes of the server: what others have signed under it holds its end. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { startControlPlane } from "../support/control-plane.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { passphraseFile } from "../backup/data-directory.ts";
import { runWith } from "./root-rig.ts";

const elsewhere = "class/signed-elsewhere";

describe("a root that was adopted", { timeout: 60_000 }, () => {
  const temporary = temporaryDirectory();
  after(() => temporary[Symbol.dispose]());
  const path = (name: string): string => join(temporary.path, name);
  const pki = new OpensslPki(temporary.path);
  const secret = passphraseFile(temporary.path);

  /** @returns its directory, as an Istio operator has it */
  function ca(name: string): string {
    const root = pki.root(name, { key: "rsa2048" });
    const files = { "ca-cert.pem": root.certPem, "ca-key.pem": root.keyPem };
    mkdirSync(path(name), { mode: 0o700 });
    for (const [file, pem] of Object.entries({ ...files, "root-cert.pem": root.certPem })) {
      writeFileSync(join(path(name), file), pem, { mode: 0o600 });
    }
    return path(name);
  }

  const verb = async (dataDir: string, ...words: readonly string[]) =>
    await runWith(["root", ...words, "--data-dir", dataDir], {});

  const ended = async (dataDir: string, ...words: readonly string[]): Promise<void> => {
    const { status, stderr } = await verb(dataDir, ...words, "--timeout", "20s");
    assert.equal(status, 0, stderr);
  };

  const namesOf = (laggards: readonly { readonly name: string }[]): readonly string[] =>
    laggards.map(({ name }) => name);

  async function held(dataDir: string, step: "retire" | "abort"): Promise<readonly string[]> {
    const { status, stdout } = await verb(dataDir, step, "-o", "json");
    assert.equal(status, 4, stdout);
    return namesOf(JSON.parse(stdout).refused.laggards);
  }

  it("is held through a restart, a backup and its restore", async () => {
    const [dataDir, restored, file] = [path("data"), path("restored"), path("one.backup")];
    mkdirSync(dataDir, { mode: 0o700 });
    {
      await using _ = await startControlPlane({ flags: { "data-dir": dataDir } });
      await ended(dataDir, "adopt", "--from-dir", ca("istio"));
      const flags = ["--data-dir", dataDir, "--passphrase-file", secret];
      const { status, stderr } = await runWith(["backup", file, ...flags], {});
      assert.equal(status, 0, stderr);
    }
    const flags = ["--data-dir", restored, "--passphrase-file", secret];
    assert.equal((await runWith(["restore", file, ...flags], {})).status, 0);
    for (const each of [dataDir, restored]) {
      await using _ = await startControlPlane({ flags: { "data-dir": each } });
      const { stdout } = await verb(each, "status", "-o", "json");
      const [active] = JSON.parse(stdout).holders;
      assert.ok(namesOf(active.named).includes(elsewhere), stdout);
    }
  });

  const claim = ["--reason", "waited for 90 days", "--for", "1h", "--yes"];
  for (const step of ["retire", "abort"] as const) {
    it(`is held against ${step}, until the class is waived by its whole name`, async () => {
      // It keeps what is adopted prepared.
      const flags = step === "abort" ? { unobserved: "files" } : {};
      await using server = await startControlPlane({ flags });
      const { dataDir } = server.config;
      const adopt = ["adopt", "--from-dir", ca(step)];
      if (step === "abort") {
        assert.equal((await verb(dataDir, ...adopt, "--timeout", "1s")).status, 3);
      } else {
        await ended(dataDir, ...adopt);
        assert.equal((await verb(dataDir, "prepare")).status, 0);
        assert.equal((await verb(dataDir, "activate")).status, 0);
      }
      assert.deepEqual(await held(dataDir, step), [elsewhere]);
      const part = await verb(dataDir, step, "--waive", "class/*", ...claim);
      assert.equal(part.status, 4, part.stderr);
      const whole = await verb(dataDir, step, "--waive", elsewhere, ...claim);
      assert.equal(whole.status, 0, whole.stderr);
    });
  }

  it("is an operator's own by prepare --from-dir, and holds nothing", async () => {
    await using server = await startControlPlane();
    const { dataDir } = server.config;
    await ended(dataDir, "rotate", "--from-dir", ca("own"));
    await ended(dataDir, "rotate");
  });
});
