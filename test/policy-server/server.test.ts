/** A whole server with a directory and applied objects: it is ready with both, and so is the next one on its data directory. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";
import { changeResources, listResources } from "../../src/edge/rpc/resource-client.ts";
import { startControlPlane } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { peerYaml } from "./resources-rig.ts";

it("a server has its directory's objects and the applied ones when it is ready, also the next time", async () => {
  using data = temporaryDirectory();
  using files = temporaryDirectory();
  writeFileSync(join(files.path, "mesh.yaml"), peerYaml("istio-system/default", "STRICT"));
  const flags = { "data-dir": data.path, resources: files.path };
  const names = async (address: string): Promise<readonly string[]> => {
    const { objects } = await listResources(address);
    return objects.map(({ object }) => object.object.ref.namespace).toSorted();
  };
  {
    await using server = await startControlPlane({ flags });
    const { admin } = server.controlPlane.endpoints;
    assert.deepEqual(await names(admin), ["istio-system"]);
    const { objects } = parseManifests(peerYaml("shop/default", "PERMISSIVE"), "f.yaml");
    const order = { apply: objects, remove: [], isDryRun: false, operator: "ada" };
    const { changes } = await changeResources(admin, order);
    assert.deepEqual(
      changes.map(({ action }) => action),
      ["created"],
    );
  }
  await using server = await startControlPlane({ flags });
  const { admin } = server.controlPlane.endpoints;
  assert.deepEqual(await names(admin), ["istio-system", "shop"]);
  assert.equal((await listResources(admin)).sequence, 2);
  const read = server.log.filter(({ event }) => event === "resources-read");
  assert.deepEqual(read, [], "nothing has changed");
});
