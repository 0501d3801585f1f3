/** A disk or a log that fails in the middle of a rotation: nothing is changed, or it comes into force when that has passed. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { rootsDigest } from "../../src/core/spiffe/roots-digest.ts";
import { interceptDurable, type DurableWrite } from "../../src/edge/store/durable.ts";
import { eventually, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import * as rig from "./rotation-rig.ts";

/** Of this thread; the log's own is another one. */
function failAt(name: DurableWrite, count = Infinity): void {
  let left = count;
  interceptDurable((each, write) => {
    if (each !== name || left-- <= 0) return write();
    throw new Error("database or disk is full");
  });
}

afterEach(() => interceptDurable(undefined));

const prepared = { kind: "prepare", source: {} } as const;

describe("a rotation on a full disk", () => {
  it("changes nothing where the trust state cannot be stored", async () => {
    await using it = await startControlPlane();
    const { trust } = it.controlPlane;
    failAt("trust-replace");
    await assert.rejects(rig.send(it, prepared), /nothing was changed/);
    assert.equal(it.controlPlane.trust, trust);
    interceptDurable(undefined);
    await rig.prepare(it);
    assert.deepEqual(rig.states(it), ["active", "prepared"]);
  });

  it("comes into force by itself where fact-remember failed after it was stored", async () => {
    await using it = await startControlPlane();
    failAt("fact-remember", 2);
    await assert.rejects(rig.send(it, prepared), /stored/);
    await eventually(() => rig.states(it).length === 2);
    assert.equal(it.controlPlane.trust.bundle.roots.length, 2);
    await rig.step(it, "activate");
    const { subject } = rig.eventsOf(it.config.dataDir, "trust-changed").at(-1) ?? {};
    assert.equal(subject, `epoch ${it.controlPlane.trust.state.epoch}`);
  });

  it("comes into force where root-cert.pem cannot be written, says so once, and writes it when it can", async () => {
    await using it = await startControlPlane();
    const authorityId = rig.signer(it);
    const path = join(it.config.dataDir, "root-cert.pem");
    rmSync(path);
    mkdirSync(join(path, "in-the-way"), { recursive: true });
    rig.doneOf(await rig.send(it, { kind: "compromise", authorityId, replacement: {} }));
    assert.notEqual(rig.signer(it), authorityId);
    const failures = () => it.log.filter(({ event }) => event === "roots-file-failed");
    assert.equal(failures().length, 1);
    await it.controlPlane.reloadTrust();
    rmSync(path, { recursive: true });
    await eventually(() => existsSync(path));
    assert.equal(failures().length, 1);
    assert.match(readFileSync(path, "utf8"), /^-----BEGIN CERTIFICATE-----/);
  });

  it("overwrites a destroyed key later where it cannot at once", async () => {
    await using it = await startControlPlane();
    await rig.prepare(it);
    await rig.step(it, "activate");
    let scrubs = 0;
    interceptDurable((each, write) => {
      if (each === "keys-scrub" && ++scrubs === 1) throw new Error("database or disk is full");
      return write();
    });
    await rig.step(it, "retire");
    await eventually(() => scrubs === 2);
  });
});

describe("a restart in the middle of a rotation", () => {
  const steps = [
    ["prepare", ["active", "prepared"]],
    ["activate", ["active", "retiring"]],
    ["retire", ["active"]],
  ] as const;

  it("finds each step as it was, and knows when the bundle was published", async () => {
    using data = temporaryDirectory();
    const flags = { "data-dir": data.path };
    const roots = (it: TestControlPlane): string => rootsDigest(it.controlPlane.trust.bundle.roots);
    let before:
      | { readonly epoch: number; readonly signer: string; readonly roots: string }
      | undefined;
    for (const [kind, expected] of steps) {
      await using it = await startControlPlane({ flags });
      if (before !== undefined) {
        const { epoch } = it.controlPlane.trust.state;
        assert.deepEqual({ epoch, signer: rig.signer(it), roots: roots(it) }, before);
      }
      if (kind === "prepare") await rig.prepare(it);
      else await rig.step(it, kind);
      assert.deepEqual(rig.states(it).toSorted(), expected);
      if (kind === "retire") return;
      const { epoch } = it.controlPlane.trust.state;
      before = { epoch, signer: rig.signer(it), roots: roots(it) };
    }
  });
});
