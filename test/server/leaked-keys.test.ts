/** A key that has leaked comes back by no certificate of it: not by one that is trusted already, and not by one that is brought later. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { rootSha256 } from "../../src/core/spiffe/roots-digest.ts";
import { rootAbove } from "../../src/core/x509/root-above.ts";
import type { RootChange } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { openTrust } from "../../src/app/server/open-trust.ts";
import { loadTrust } from "../../src/app/server/trust.ts";
import { Store } from "../../src/edge/store/store.ts";
import { startControlPlane, testConfig, type TestControlPlane } from "../support/control-plane.ts";
import { OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import * as rig from "./rotation-rig.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const [root, other] = [pki.root("one"), pki.root("other")];
const renewed = pki.root("one again", { keyOf: root, subject: root.subject, days: 1_000 });
const [first, second] = [pki.under(root, "first"), pki.under(root, "second")];
const underRenewed = pki.under(renewed, "third");

const files = (signing: PkiNode, ...roots: readonly PkiNode[]): Record<string, string> => ({
  "ca-cert.pem": signing.certPem,
  "ca-key.pem": signing.keyPem,
  "root-cert.pem": roots.map(({ certPem }) => certPem).join(""),
});

async function reload(it: TestControlPlane, caDir: string, contents: Record<string, string>) {
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(caDir, name), text);
  return await it.controlPlane.reloadTrust();
}

const idOf = (it: TestControlPlane): string =>
  it.controlPlane.trust.state.authorities.find(({ state }) => state === "active")?.id ?? "";

async function compromise(it: TestControlPlane, dryRun = false): Promise<RootChange> {
  const replacement = { keyType: "p256" } as const;
  const authorityId = idOf(it);
  return rig.doneOf(await rig.send(it, { kind: "compromise", authorityId, replacement }, dryRun));
}

const verifies = (it: TestControlPlane, ca: PkiNode): boolean =>
  rootAbove(ca.der, [], it.controlPlane.trust.bundle.roots) !== undefined;

async function prepareFrom(it: TestControlPlane, signing: PkiNode, top: PkiNode): Promise<string> {
  const fromDir = pki.directory(files(signing, top));
  const { result } = await rig.send(it, { kind: "prepare", source: { fromDir } });
  return result.case === "refused" ? result.value.code : `${result.case}`;
}

describe("a stored trust state", () => {
  it("names each authority by its key, or is malformed: a leaked one would not be known again", async () => {
    using data = temporaryDirectory();
    using store = await Store.open(data.path, "server");
    const config = testConfig(data.path);
    const { state } = await loadTrust(store, config, Date.now());
    for (const [chain, id] of [
      [[], "ab12"],
      [[first.der], state.authorities[0]?.id ?? ""],
    ] as const) {
      const authorities = state.authorities.map((each) => ({ ...each, chain, id }));
      const open = () => openTrust(store, config, { ...state, authorities }, undefined);
      assert.throws(open, { code: "trust-state-malformed" });
    }
  });
});

describe("a leaked authority", () => {
  it("verifies under no renewed certificate of its root that is trusted beside it, as is said before", async () => {
    const caDir = pki.directory(files(first, root, renewed));
    await using it = await startControlPlane({ flags: { "ca-dir": caDir } });
    const { lines } = await compromise(it, true);
    const digest = rootSha256(renewed.der);
    assert.ok(lines.some((line) => line.includes(digest) && line.includes("is trusted no more")));
    assert.ok(verifies(it, first));
    await compromise(it);
    assert.equal(verifies(it, first), false);
  });

  it("verifies under none that is brought later: by prepare, by --ca-dir, or as another root there", async () => {
    const caDir = pki.directory(files(first, root));
    await using it = await startControlPlane({ flags: { "ca-dir": caDir } });
    await compromise(it);
    assert.equal(await prepareFrom(it, underRenewed, renewed), "authority-known");
    await reload(it, caDir, files(underRenewed, renewed));
    assert.deepEqual(rig.states(it), ["active"]);
    assert.ok(it.log.some(({ event }) => event === "ca-stale"));
    await reload(it, caDir, files(pki.under(other, "other-ca"), other, renewed));
    assert.equal(verifies(it, first), false);
    assert.ok(verifies(it, pki.under(other, "more")));
  });

  it("takes another authority with it whose root has the same key", async () => {
    const caDir = pki.directory(files(first, root));
    await using it = await startControlPlane({ flags: { "ca-dir": caDir } });
    assert.equal(await prepareFrom(it, underRenewed, renewed), "done");
    const alone = { kind: "compromise", authorityId: idOf(it) } as const;
    const refusal = rig.refusedOf(await rig.send(it, alone));
    assert.match(refusal.message, /which has a key of it$/);
    await compromise(it);
    assert.deepEqual(rig.states(it), ["active"]);
    assert.deepEqual(
      [first, underRenewed].map((each) => verifies(it, each)),
      [false, false],
    );
  });

  it("is known by the keys of its earlier intermediates, too", async () => {
    const caDir = pki.directory(files(first, root));
    await using it = await startControlPlane({ flags: { "ca-dir": caDir } });
    await reload(it, caDir, files(second, root));
    await compromise(it);
    const evil = pki.under(other, "evil", { keyOf: first });
    assert.equal(await prepareFrom(it, evil, other), "authority-known");
  });

  it("is followed by the replacement where the other authority has expired", async () => {
    const short = pki.root("short", { days: 3 });
    const caDir = pki.directory(files(short, short));
    const flags = { "ca-dir": caDir, "max-ttl": "1h", "default-ttl": "30m" };
    await using it = await startControlPlane({ flags });
    await rig.prepare(it);
    await rig.step(it, "activate");
    it.advance(4 * 86_400_000);
    await compromise(it);
    assert.deepEqual(rig.states(it), ["active", "retiring"]);
    const nowMs = Date.now() + 4 * 86_400_000;
    assert.ok(it.controlPlane.trust.authority.notAfterMs > nowMs);
  });
});
