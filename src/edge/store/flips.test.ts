import assert from "node:assert/strict";
import { it } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { Store } from "./store.ts";

it("flips are there in their order when the store is opened again, each as it was put last", async () => {
  using directory = temporaryDirectory();
  {
    using store = await Store.open(directory.path, "server");
    const { flips } = store;
    assert.deepEqual(flips.all(), []);
    flips.put({ id: 2, document: "b" }, []);
    flips.put({ id: 1, document: "a" }, []);
    flips.put({ id: 3, document: "c" }, [1]);
    flips.put({ id: 2, document: "B" }, []);
  }
  using store = await Store.open(directory.path, "server");
  assert.deepEqual(store.flips.all(), [
    { id: 2, document: "B" },
    { id: 3, document: "c" },
  ]);
});
