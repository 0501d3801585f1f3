/** Keys that the operator's files had, and have no more: whoever signs, or may sign again, can after a restart as well. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { addWaivers } from "../../src/edge/rpc/root-client.ts";
import { eventually, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import * as rig from "./rotation-rig.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const [a, b, c] = [pki.root("a"), pki.root("b"), pki.root("c")];
const roots = new Map([a, b, c].map((root) => [root, root]));
/** Another intermediate of A. */
const next = pki.under(a, "next");
roots.set(next, a);

const files = (signing: PkiNode): Readonly<Record<string, string>> => ({
  "ca-cert.pem": signing.certPem,
  "ca-key.pem": signing.keyPem,
  "root-cert.pem": roots.get(signing)?.certPem ?? "",
});

interface Scene {
  readonly it: TestControlPlane;
  /** @returns a refusal's code */
  readonly put: (signing: PkiNode) => Promise<string>;
  /** By an operator. */
  readonly prepare: (signing: PkiNode) => Promise<void>;
  readonly activate: () => Promise<void>;
  readonly rollback: () => Promise<void>;
}

async function waive(it: TestControlPlane): Promise<void> {
  const claim = { names: ["class/files"], reason: "handed out", operator: "alice" };
  const untilMs = Date.now() + 3_600_000;
  const { rootsSequence } = it.controlPlane.trust.state;
  await addWaivers(it.controlPlane.endpoints.admin, { ...claim, untilMs, rootsSequence });
}

function sceneOf(it: TestControlPlane, caDir: string): Scene {
  return {
    it,
    put: async (signing) => {
      for (const [name, text] of Object.entries(files(signing)))
        writeFileSync(join(caDir, name), text);
      const refused = await it.controlPlane.reloadTrust().catch((error: unknown) => error);
      return refused instanceof Error && "code" in refused ? String(refused.code) : "";
    },
    prepare: async (signing) => {
      await rig.prepare(it, { fromDir: pki.directory(files(signing)) });
    },
    activate: async () => {
      await waive(it);
      await rig.stepWhenOpen(it, "activate");
    },
    rollback: async () => {
      await rig.step(it, "rollback");
    },
  };
}

const shown = async (it: TestControlPlane): Promise<string> => {
  const { authorities } = await rig.status(it);
  const kept = authorities.filter(({ state }) => state !== "retired");
  return kept.map(({ state, keyLocation }) => `${state} ${keyLocation}`).join(", ");
};

/** A signs by its files; then those change while the server runs. */
const cases: readonly {
  readonly name: string;
  readonly act: (scene: Scene) => Promise<void>;
  readonly expected: string;
}[] = [
  {
    name: "those of an authority that an operator had prepared",
    act: async ({ prepare, put }) => {
      await prepare(b);
      await put(b);
    },
    expected: "active store, prepared store",
  },
  {
    name: "other ones again, after another intermediate of the one that signs",
    act: async ({ put }) => {
      for (const each of [b, next, b]) await put(each);
    },
    expected: "active store, prepared files",
  },
  {
    name: "a third root, which is refused, and the one that has signed signs again",
    act: async ({ prepare, put, activate, rollback }) => {
      await prepare(b);
      assert.equal(await put(c), "rotation-in-progress");
      await activate();
      await rollback();
    },
    expected: "active store, prepared store",
  },
  {
    name: "a third root, which is refused while the one that has signed is to retire",
    act: async ({ prepare, put, activate, rollback }) => {
      await prepare(b);
      await activate();
      assert.equal(await put(c), "rotation-in-progress");
      await rollback();
    },
    expected: "active store, prepared store",
  },
  {
    name: "those of the one that signs now, and the one before can come back",
    act: async ({ prepare, put, activate, rollback }) => {
      await prepare(b);
      await activate();
      await put(b);
      await rollback();
    },
    expected: "active store, prepared store",
  },
  {
    name: "a third root, which is refused, and what the files before it began goes on",
    act: async ({ it, put }) => {
      await put(b);
      assert.equal(await put(c), "rotation-in-progress");
      assert.equal(await shown(it), "active store, prepared memory");
      await waive(it);
      await eventually(() => rig.states(it).join() === "active,retiring");
    },
    expected: "active store, retiring store",
  },
  {
    name: "those of a root that was retired",
    act: async ({ it, put }) => {
      await put(b);
      await waive(it);
      await eventually(() => rig.states(it).length === 1, 20_000);
      assert.equal(await shown(it), "active files");
      assert.equal(await put(a), "");
    },
    expected: "active store",
  },
];

describe("files of a CA that become, while the server runs,", () => {
  for (const { name, act, expected } of cases) {
    it(`${name}, lose no key that signs`, async () => {
      using data = temporaryDirectory();
      const caDir = pki.directory(files(a));
      const flags = { "data-dir": data.path, "ca-dir": caDir, unobserved: "files" };
      let signer = "";
      {
        await using it = await startControlPlane({ flags });
        await act(sceneOf(it, caDir));
        assert.equal(await shown(it), expected);
        signer = rig.signer(it);
      }
      await using it = await startControlPlane({ flags });
      assert.equal(rig.signer(it), signer);
      assert.equal(await shown(it), expected);
    });
  }

  it("those that were refused, start again: what is prepared waits for its own", async () => {
    using data = temporaryDirectory();
    const caDir = pki.directory(files(a));
    const flags = { "data-dir": data.path, "ca-dir": caDir, unobserved: "files" };
    {
      await using it = await startControlPlane({ flags });
      const { put } = sceneOf(it, caDir);
      await put(b);
      await put(c);
    }
    await using it = await startControlPlane({ flags });
    assert.equal(await shown(it), "active store, prepared missing");
    await sceneOf(it, caDir).put(b);
    assert.equal(await shown(it), "active store, prepared files");
  });
});
