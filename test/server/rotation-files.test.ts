/** A change of the operator's files on disk that is a rotation: new bundle first, new signer only when the gate opens. */

import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fetchStatus } from "../../src/edge/rpc/admin-client.ts";
import { addWaivers } from "../../src/edge/rpc/root-client.ts";
import { eventually, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { SoftHsm, whyNoSoftHsm } from "../support/softhsm.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { meshIdentity } from "./mesh-client.ts";
import * as rig from "./rotation-rig.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const [oldRoot, newRoot, third] = [pki.root("old"), pki.root("new"), pki.root("third")];
const oldCa = pki.under(oldRoot, "old-ca");
const newCa = pki.under(newRoot, "new-ca");

type Files = Readonly<Record<string, string>>;

const files = (signing: PkiNode, roots: readonly PkiNode[]): Files => ({
  "ca-cert.pem": signing.certPem,
  "ca-key.pem": signing.keyPem,
  "root-cert.pem": roots.map(({ certPem }) => certPem).join(""),
});

function replace(directory: string, contents: Files): void {
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(directory, name), text);
}

const signing = (it: TestControlPlane): string | undefined =>
  it.controlPlane.trust.authority.chainTail[0];

async function waive(it: TestControlPlane): Promise<void> {
  const claim = { names: ["class/files"], reason: "handed out", operator: "alice" };
  const untilMs = Date.now() + 3_600_000;
  const { rootsSequence } = it.controlPlane.trust.state;
  await addWaivers(it.controlPlane.endpoints.admin, { ...claim, untilMs, rootsSequence });
}

const isOver = (it: TestControlPlane): boolean =>
  rig.states(it).length === 1 && it.controlPlane.trust.state.retired[0]?.confirmed === true;

describe("another root in --ca-dir", () => {
  it("is trusted at once, signs when its gate opens, also over a restart, and says what it waits for", async () => {
    using data = temporaryDirectory();
    const caDir = pki.directory(files(oldCa, [oldRoot]));
    const flags = { "data-dir": data.path, "ca-dir": caDir, unobserved: "files" };
    {
      await using it = await startControlPlane({ flags });
      replace(caDir, files(newCa, [newRoot]));
      assert.equal(await it.controlPlane.reloadTrust(), true);
      assert.deepEqual(rig.states(it), ["active", "prepared"]);
      assert.equal(signing(it), oldCa.certPem);
      assert.equal(await it.controlPlane.reloadTrust(), false);
    }
    await using it = await startControlPlane({ flags });
    assert.equal(signing(it), oldCa.certPem);
    const { automatic, authorities } = await rig.status(it);
    assert.match(automatic, /^activate: waits \(verifiers-lagging\).*class\/files/);
    assert.deepEqual(
      authorities.map(({ state, keyLocation }) => [state, keyLocation]),
      [
        ["active", "store"],
        ["prepared", "files"],
      ],
    );
    const { reloadRefusals } = await fetchStatus(it.controlPlane.endpoints.admin);
    assert.deepEqual(
      reloadRefusals.map(({ part, reason }) => [part, reason]),
      [["ca", "rotation-waits"]],
    );
    await waive(it);
    await eventually(() => rig.states(it).length === 1);
    // Handed out again, without the root that was retired.
    await waive(it);
    await eventually(() => isOver(it));
    assert.equal(signing(it), newCa.certPem);
    const steps = rig
      .eventsOf(data.path, "command")
      .map(({ operator, subject }) => operator + subject);
    assert.deepEqual(steps, ["root prepare", "root activate", "root retire", "root confirm"]);
  });

  it("goes back to the old one, whose key is kept, and then waits for an operator", async () => {
    const caDir = pki.directory(files(oldCa, [oldRoot]));
    await using it = await startControlPlane({ flags: { "ca-dir": caDir } });
    replace(caDir, files(newCa, [newRoot, oldRoot]));
    assert.equal(await it.controlPlane.reloadTrust(), true);
    await eventually(() => signing(it) === newCa.certPem);
    // The files name the old one still.
    await eventually(async () => (await rig.status(it)).automatic.includes("root-in-files"));
    await rig.step(it, "rollback");
    assert.equal(signing(it), oldCa.certPem);
    assert.equal((await rig.status(it)).automatic, "");
    await rig.step(it, "activate");
    replace(caDir, files(newCa, [newRoot]));
    assert.equal(await it.controlPlane.reloadTrust(), true);
    await rig.step(it, "retire");
    assert.equal(it.controlPlane.trust.bundle.roots.length, 1);
  });

  it("takes nothing from the old one: what each of its intermediates has signed hangs on it", async () => {
    const caDir = pki.directory(files(oldCa, [oldRoot]));
    await using it = await startControlPlane({ flags: { "ca-dir": caDir, unobserved: "files" } });
    await meshIdentity(it, "cart");
    replace(caDir, files(pki.under(oldRoot, "next-ca"), [oldRoot]));
    assert.equal(await it.controlPlane.reloadTrust(), true);
    await meshIdentity(it, "cart");
    replace(caDir, files(newCa, [newRoot]));
    assert.equal(await it.controlPlane.reloadTrust(), true);
    await eventually(async () => {
      const { holders } = await rig.status(it);
      const named = holders.map(({ named }) => named.map(({ reason }) => reason).join());
      // The server's own certificate is one of them.
      return named.join(" ") === "own-certificate,unexpired,unexpired ";
    });
  });

  it("waits while another rotation goes on", async () => {
    const caDir = pki.directory(files(oldCa, [oldRoot]));
    const flags = { "ca-dir": caDir, unobserved: "files" };
    await using it = await startControlPlane({ flags });
    replace(caDir, files(newCa, [newRoot]));
    await it.controlPlane.reloadTrust();
    replace(caDir, files(third, [third]));
    await assert.rejects(it.controlPlane.reloadTrust(), { code: "rotation-in-progress" });
    assert.equal(signing(it), oldCa.certPem);
    replace(caDir, files(oldCa, [oldRoot]));
    await it.controlPlane.reloadTrust();
    await rig.step(it, "abort");
    replace(caDir, files(third, [third]));
    assert.equal(await it.controlPlane.reloadTrust(), true);
    assert.deepEqual(rig.states(it), ["active", "prepared"]);
  });

  it("is withdrawn by an operator once the files name it no more, also where what they name then has to wait", async () => {
    const caDir = pki.directory(files(oldCa, [oldRoot]));
    const flags = { "ca-dir": caDir, unobserved: "files" };
    await using it = await startControlPlane({ flags });
    replace(caDir, files(newCa, [newRoot, oldRoot]));
    await it.controlPlane.reloadTrust();
    const { code } = rig.refusedOf(await rig.send(it, { kind: "abort" }));
    assert.equal(code, "root-in-files");
    replace(caDir, files(third, [third, oldRoot]));
    await assert.rejects(it.controlPlane.reloadTrust(), { code: "rotation-in-progress" });
    await rig.step(it, "abort");
    assert.deepEqual(rig.states(it), ["active"]);
  });

  it("that was retired is not trusted again by an old root-cert.pem, which is said once", async () => {
    const caDir = pki.directory(files(oldCa, [oldRoot]));
    await using it = await startControlPlane({ flags: { "ca-dir": caDir } });
    replace(caDir, files(newCa, [newRoot]));
    await it.controlPlane.reloadTrust();
    await eventually(() => isOver(it), 20_000);
    const { bundle } = it.controlPlane.trust;
    replace(caDir, files(newCa, [oldRoot, newRoot]));
    await it.controlPlane.reloadTrust();
    await it.controlPlane.reloadTrust();
    assert.deepEqual(it.controlPlane.trust.bundle, bundle);
    assert.equal(it.log.filter(({ event }) => event === "ca-stale").length, 1);
    await rig.prepare(it, { fromDir: pki.directory(files(oldCa, [oldRoot])) });
    assert.equal(it.controlPlane.trust.bundle.roots.length, 2);
  });

  it("has to follow a rotation from another directory, and an old one changes nothing", async () => {
    const caDir = pki.directory(files(oldCa, [oldRoot]));
    await using it = await startControlPlane({ flags: { "ca-dir": caDir } });
    await rig.prepare(it, { fromDir: pki.directory(files(newCa, [newRoot])) });
    await rig.step(it, "activate");
    const { code } = rig.refusedOf(await rig.send(it, { kind: "retire" }));
    assert.equal(code, "root-in-files");
    replace(caDir, files(newCa, [newRoot]));
    await it.controlPlane.reloadTrust();
    await rig.step(it, "retire");
    const { bundle } = it.controlPlane.trust;
    replace(caDir, files(oldCa, [oldRoot]));
    assert.equal(await it.controlPlane.reloadTrust(), false);
    assert.deepEqual(it.controlPlane.trust.bundle, bundle);
    assert.equal(signing(it), newCa.certPem);
    assert.ok(it.log.some(({ event }) => event === "ca-stale"));
  });
});

describe("a key in an HSM", { skip: whyNoSoftHsm() }, () => {
  it("takes the place of a root of the server's own, and signs in its thread", async () => {
    using data = temporaryDirectory();
    await (await startControlPlane({ flags: { "data-dir": data.path } }))[Symbol.asyncDispose]();
    using hsm = new SoftHsm();
    hsm.initToken("mesh");
    const privateKey = createPrivateKey(newCa.keyPem);
    hsm.importKey("mesh", { label: "ca", id: "01", privateKey });
    const { "ca-key.pem": _, ...keyless } = files(newCa, [newRoot]);
    const key = hsm.uri("token=mesh;object=ca");
    const flags = { "data-dir": data.path, "ca-dir": pki.directory(keyless), "ca-key": key };
    await using it = await startControlPlane({ flags });
    await eventually(() => isOver(it), 15_000);
    assert.equal(signing(it), newCa.certPem);
    const { authorities } = await rig.status(it);
    assert.equal(authorities[0]?.keyLocation, "pkcs11");
    await rig.prepare(it);
    await rig.step(it, "activate");
    await rig.step(it, "rollback");
    assert.equal(signing(it), newCa.certPem);
  });
});
