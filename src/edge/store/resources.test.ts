import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { StoredManifest } from "./resources.ts";
import { Store } from "./store.ts";

const manifest = (name: string, json: string, origin = ""): StoredManifest => ({
  ref: { kind: "PeerAuthentication", namespace: "shop", name },
  json,
  origin,
});

async function withStore(path: string, work: (store: Store) => void): Promise<void> {
  using store = await Store.open(path, "server");
  work(store);
}

describe("the configuration at rest", () => {
  it("is empty at first, and is what was put when the store is opened again", async () => {
    using directory = temporaryDirectory();
    await withStore(directory.path, ({ resources }) => {
      assert.deepEqual(resources.load(), { sequence: 0, layers: { directory: [], applied: [] } });
      const put = [manifest("b", "1"), manifest("a", "2")];
      assert.equal(resources.change(0, { layer: "applied", put, remove: [] }), 1);
      const read = [manifest("a", "3", "a.yaml:1")];
      assert.equal(resources.change(1, { layer: "directory", put: read, remove: [] }), 2);
    });
    await withStore(directory.path, ({ resources }) => {
      const { sequence, layers } = resources.load();
      assert.equal(sequence, 2);
      assert.deepEqual(layers.applied, [
        { json: "2", origin: "" },
        { json: "1", origin: "" },
      ]);
      assert.deepEqual(layers.directory, [{ json: "3", origin: "a.yaml:1" }]);
    });
  });

  it("loses what is removed from one layer, and the other keeps its own", async () => {
    using directory = temporaryDirectory();
    await withStore(directory.path, ({ resources }) => {
      const { ref } = manifest("a", "");
      resources.change(0, { layer: "applied", put: [manifest("a", "1")], remove: [] });
      resources.change(1, { layer: "directory", put: [manifest("a", "2", "f:1")], remove: [] });
      resources.change(2, { layer: "applied", put: [], remove: [ref] });
      assert.deepEqual(resources.load().layers, {
        directory: [{ json: "2", origin: "f:1" }],
        applied: [],
      });
    });
  });

  it("is in a copy of the store, as a backup makes it", async () => {
    using directory = temporaryDirectory();
    using copied = temporaryDirectory();
    await withStore(directory.path, (store) => {
      const write = { layer: "applied", put: [manifest("a", "1")], remove: [] } as const;
      store.resources.change(0, write);
      const path = join(copied.path, "portcullis.db");
      writeFileSync(path, "", { mode: 0o600 });
      store.copyTo(path);
    });
    await withStore(copied.path, ({ resources }) => {
      assert.equal(resources.load().sequence, 1);
      assert.deepEqual(resources.load().layers.applied, [{ json: "1", origin: "" }]);
    });
  });

  it("refuses a change that follows from another one, and makes nothing of it", async () => {
    using directory = temporaryDirectory();
    await withStore(directory.path, ({ resources }) => {
      resources.change(0, { layer: "applied", put: [manifest("a", "1")], remove: [] });
      for (const before of [0, 2]) {
        const write = { layer: "applied", put: [manifest("b", "2")], remove: [] } as const;
        assert.throws(() => resources.change(before, write), { code: "store-resources-changed" });
      }
      assert.equal(resources.load().sequence, 1);
      assert.equal(resources.load().layers.applied.length, 1);
    });
  });
});
