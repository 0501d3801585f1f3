import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { StoredManifest } from "./resources.ts";
import { migrations } from "./migrations.ts";
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
      assert.deepEqual(resources.load(), {
        sequence: 0,
        layers: { directory: [], applied: [], cluster: [] },
      });
      const put = [manifest("b", "1"), manifest("a", "2")];
      assert.equal(resources.change(0, { layer: "applied", put, remove: [] }), 1);
      const read = [manifest("a", "3", "a.yaml:1")];
      assert.equal(resources.change(1, { layer: "directory", put: read, remove: [] }), 2);
      const seen = [manifest("a", "4", "cluster")];
      assert.equal(resources.change(2, { layer: "cluster", put: seen, remove: [] }), 3);
    });
    await withStore(directory.path, ({ resources }) => {
      const { sequence, layers } = resources.load();
      assert.equal(sequence, 3);
      assert.deepEqual(layers.cluster, [{ json: "4", origin: "cluster" }]);
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
        cluster: [],
      });
    });
  });

  it("of a store from before clusters is what it was, and has room for one", async () => {
    using directory = temporaryDirectory();
    const before = migrations.findIndex((step) => step.includes("resources_of_layers"));
    {
      using database = new DatabaseSync(join(directory.path, "portcullis.db"));
      for (const step of migrations.slice(0, before)) database.exec(step);
      database.exec(`PRAGMA user_version = ${before}`);
      database.exec("UPDATE resource_set SET sequence = 7");
      database.exec(
        "INSERT INTO resources VALUES ('applied', 'PeerAuthentication', 'shop', 'a', '', '1')",
      );
    }
    await withStore(directory.path, ({ resources }) => {
      const { sequence, layers } = resources.load();
      assert.equal(sequence, 7);
      assert.deepEqual(layers, {
        directory: [],
        applied: [{ json: "1", origin: "" }],
        cluster: [],
      });
      const put = [manifest("a", "2", "cluster")];
      assert.equal(resources.change(7, { layer: "cluster", put, remove: [] }), 8);
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
