/** Keys in a rotation: what is destroyed is gone, and one that is missing is told, with a way on. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { eventually, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { fetchStatus } from "../../src/edge/rpc/admin-client.ts";
import { addWaivers } from "../../src/edge/rpc/root-client.ts";
import { OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import * as rig from "./rotation-rig.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const [root, other, short] = [pki.root("one"), pki.root("other"), pki.root("short", { days: 100 })];
const [first, second] = [pki.under(root, "first"), pki.under(root, "second")];

const files = (signing: PkiNode, ...roots: readonly PkiNode[]): Record<string, string> => ({
  "ca-cert.pem": signing.certPem,
  "ca-key.pem": signing.keyPem,
  "root-cert.pem": roots.map(({ certPem }) => certPem).join(""),
});

function put(directory: string, contents: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(directory, name), text);
}

/** Of authorities, and not of JWTs. */
function keysIn(dataDir: string): readonly string[] {
  using database = new DatabaseSync(join(dataDir, "portcullis.db"), { readOnly: true });
  const rows = database.prepare("SELECT id FROM signing_keys").all();
  return rows.map(({ id }) => String(id)).filter((id) => /^[0-9a-f]+$/.test(id));
}

const idOf = (it: TestControlPlane, state: string): string =>
  it.controlPlane.trust.state.authorities.find((each) => each.state === state)?.id ?? "";

async function waive(it: TestControlPlane): Promise<void> {
  const claim = { names: ["class/files"], reason: "handed out", operator: "alice" };
  const untilMs = Date.now() + 3_600_000;
  const { rootsSequence } = it.controlPlane.trust.state;
  await addWaivers(it.controlPlane.endpoints.admin, { ...claim, untilMs, rootsSequence });
}

/** B is prepared by the files, which then go back to A: its key is nowhere. */
async function startKeyless(): Promise<{ it: TestControlPlane; caDir: string }> {
  const caDir = pki.directory(files(first, root));
  const it = await startControlPlane({ flags: { "ca-dir": caDir, unobserved: "files" } });
  put(caDir, files(other, root, other));
  await it.controlPlane.reloadTrust();
  put(caDir, files(first, root, other));
  await it.controlPlane.reloadTrust();
  return { it, caDir };
}

describe("the key in the store", () => {
  it("of an intermediate that another one replaces at the start is destroyed", async () => {
    using data = temporaryDirectory();
    const flags = { "data-dir": data.path };
    {
      await using it = await startControlPlane({ flags });
      await rig.prepare(it, { fromDir: pki.directory(files(first, root)) });
      await rig.step(it, "activate");
      await rig.step(it, "retire");
    }
    assert.equal(keysIn(data.path).length, 1);
    const caDir = pki.directory(files(second, root));
    {
      await using it = await startControlPlane({ flags: { ...flags, "ca-dir": caDir } });
      assert.deepEqual(rig.states(it), ["active"]);
    }
    assert.deepEqual(keysIn(data.path), []);
  });
});

describe("a signing key", () => {
  it("that is there, or was compromised, signs under no other root, whatever its certificate calls it", async () => {
    const named = (name: string): PkiNode => {
      const extensions = { subjectKeyIdentifier: randomBytes(8).toString("hex") };
      return pki.under(other, name, { keyOf: first, extensions });
    };
    const prepared = async (it: TestControlPlane, name: string): Promise<string> => {
      const fromDir = pki.directory(files(named(name), other));
      return rig.refusedOf(await rig.send(it, { kind: "prepare", source: { fromDir } })).code;
    };
    await using it = await startControlPlane({
      flags: { "ca-dir": pki.directory(files(first, root)) },
    });
    assert.equal(await prepared(it, "other name"), "authority-known");
    const authorityId = idOf(it, "active");
    const replaced = { kind: "compromise", authorityId, replacement: { keyType: "p256" } } as const;
    rig.doneOf(await rig.send(it, replaced));
    await eventually(() => rig.states(it).join() === "active");
    assert.equal(await prepared(it, "third name"), "authority-known");
  });
});

describe("a key that is missing", () => {
  it("is told by what goes on by itself, once in the log, until it is there", async () => {
    const { it, caDir } = await startKeyless();
    await using _ = it;
    await eventually(async () =>
      (await rig.status(it)).automatic.startsWith("activate: waits (key-missing)"),
    );
    await eventually(() => it.log.some(({ event }) => event === "rotation-refused"));
    put(caDir, files(other, root, other));
    await it.controlPlane.reloadTrust();
    await waive(it);
    await eventually(() => rig.states(it).join() === "active,retiring");
    assert.equal(it.log.filter(({ event }) => event === "rotation-refused").length, 1);
  });

  it("shows at its authority and in what may be done, whether files or the store had it", async () => {
    const shown = async (it: TestControlPlane): Promise<unknown> => {
      const { authorities, steps } = await rig.status(it);
      const inStatus = (await fetchStatus(it.controlPlane.endpoints.admin)).authorities;
      for (const { id, keyLocation } of authorities) {
        assert.equal(inStatus.find((each) => each.id === id)?.keyLocation, keyLocation);
      }
      return {
        keys: authorities.map(({ state, keyLocation }) => `${state} ${keyLocation}`),
        activate: steps.find(({ command }) => command === "activate")?.reason,
      };
    };
    const untilShown = async (it: TestControlPlane): Promise<string> => {
      const keys = ["active store", "prepared missing"];
      await eventually(async () =>
        isDeepStrictEqual(await shown(it), { keys, activate: "key-missing" }),
      );
      const refused = rig.refusedOf(await rig.send(it, { kind: "activate" }));
      assert.equal(refused.code, "key-missing");
      return refused.hint;
    };
    {
      const { it } = await startKeyless();
      await using _ = it;
      assert.match(await untilShown(it), /--ca-dir.*; or withdraw it: portcullis root abort$/);
    }
    using data = temporaryDirectory();
    const flags = { "data-dir": data.path };
    let id = "";
    {
      await using it = await startControlPlane({ flags });
      await rig.prepare(it);
      id = idOf(it, "prepared");
    }
    {
      using database = new DatabaseSync(join(data.path, "portcullis.db"));
      database.prepare("DELETE FROM signing_keys WHERE id = ?").run(id);
    }
    await using it = await startControlPlane({ flags });
    assert.match(await untilShown(it), /^restore a backup .*portcullis root abort$/);
    await rig.stepWhenOpen(it, "abort");
    assert.deepEqual(rig.states(it), ["active"]);
  });

  it("keeps nobody from a compromise that brings a replacement", async () => {
    const { it } = await startKeyless();
    await using _ = it;
    const prepared = idOf(it, "prepared");
    const authorityId = idOf(it, "active");
    const alone = rig.refusedOf(await rig.send(it, { kind: "compromise", authorityId }));
    assert.equal(alone.code, "key-missing");
    assert.match(alone.hint, /root compromise [0-9a-f]+ --key-type p256; /);
    const replaced = { kind: "compromise", authorityId, replacement: { keyType: "p256" } } as const;
    rig.doneOf(await rig.send(it, replaced));
    assert.equal(idOf(it, "prepared"), prepared);
    assert.ok(![authorityId, prepared].includes(idOf(it, "active")));
    assert.equal(it.controlPlane.trust.state.retired[0]?.id, authorityId);
  });

  it("of the CA that signs ends a start with what to do", async () => {
    using data = temporaryDirectory();
    const caDir = pki.directory(files(first, root));
    const flags = { "data-dir": data.path, "ca-dir": caDir };
    await (await startControlPlane({ flags }))[Symbol.asyncDispose]();
    put(caDir, files(other, other));
    await assert.rejects(startControlPlane({ flags }), {
      code: "store-key-missing",
      hint: /put the old files back into --ca-dir and start; then, while the server runs.*--from-dir DIR/,
    });
  });
});

describe("an authority", () => {
  it("that ends before what it is to sign is not activated, until less is asked of it", async () => {
    await using it = await startControlPlane({ flags: { "max-ttl": "30d" } });
    await rig.prepare(it, { fromDir: pki.directory(files(short, short)) });
    it.advance(80 * 86_400_000);
    const refused = await eventually(async () => {
      const { result } = await rig.send(it, { kind: "activate" }, true);
      return result.case === "refused" && result.value;
    });
    assert.equal(refused.code, "authority-expiring");
    assert.match(refused.hint, /certificates\.maxTtl/);
    await it.controlPlane.reload({ ...it.config, maxTtlSeconds: 86_400 });
    await rig.stepWhenOpen(it, "activate");
  });

  it("of --ca-dir is not taken from there under another name for it", async () => {
    const caDir = pki.directory(files(first, root));
    const link = join(temporary.path, "link");
    symlinkSync(caDir, link);
    await using it = await startControlPlane({ flags: { "ca-dir": caDir } });
    for (const fromDir of [
      caDir,
      `${caDir}/`,
      join(caDir, "..", caDir.split("/").at(-1) ?? ""),
      link,
    ]) {
      const refused = rig.refusedOf(await rig.send(it, { kind: "prepare", source: { fromDir } }));
      assert.equal(refused.code, "authority-directory");
    }
    rmSync(link);
  });
});

describe("a compromise of a CA of the operator's own", () => {
  const asked = async (it: TestControlPlane, replacement = {}): Promise<string> => {
    const authorityId = idOf(it, "active");
    const { result } = await rig.send(it, { kind: "compromise", authorityId, replacement }, true);
    return result.case === "refused" ? result.value.code : String(result.case);
  };

  it("makes a root of the server's own only where it is asked for, wherever the key is", async () => {
    const caDir = pki.directory(files(first, root));
    {
      await using it = await startControlPlane({ flags: { "ca-dir": caDir } });
      assert.equal(await asked(it), "replacement-needed");
      assert.equal(await asked(it, { keyType: "p256" }), "done");
    }
    await using it = await startControlPlane();
    assert.equal(await asked(it), "done");
    for (const fromDir of [caDir, pki.directory({ ...files(other, other) })]) {
      await rig.prepare(it, { fromDir });
      await rig.step(it, "activate");
      await rig.step(it, "retire");
      assert.equal(await asked(it), "replacement-needed");
    }
  });
});

describe("what an operator reads", () => {
  it("of a dry run names nothing that will never be", async () => {
    await using it = await startControlPlane();
    const { lines } = rig.doneOf(await rig.send(it, { kind: "prepare", source: {} }, true));
    assert.ok(lines.includes("the new authority is prepared"), lines.join("\n"));
  });

  it("after a step is a command that is possible", async () => {
    await using it = await startControlPlane({ flags: { unobserved: "files" } });
    assert.match((await rig.prepare(it)).next, /^portcullis root rotate --resume; .*root status/);
    await waive(it);
    await rig.step(it, "activate");
    assert.match(
      (await rig.step(it, "rollback")).next,
      /^(portcullis root abort|what abort waits for: portcullis root status);/,
    );
  });
});
