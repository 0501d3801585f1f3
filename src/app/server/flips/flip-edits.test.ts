import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { peerYaml } from "../../../../test/flips/flips-rig.ts";
import {
  openResourcesRig,
  type ResourcesRig,
} from "../../../../test/policy-server/resources-rig.ts";
import { flipOf } from "../../../../test/support/flips.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import { parseManifests } from "../../../edge/resources/parse-manifests.ts";
import { FlipConfiguration } from "./flip-configuration.ts";
import { FlipEdits } from "./flip-edits.ts";

const jsonOf = (yaml: string): string =>
  JSON.stringify(parseManifests(yaml, "f.yaml").objects[0]?.manifest);

const [permissive, strict] = [peerYaml("PERMISSIVE"), peerYaml("STRICT")];
const { edit } = flipOf();
const flip: Flip = flipOf({
  edit: { ...edit, beforeJson: jsonOf(permissive), afterJson: jsonOf(strict) },
});

async function withEdits(
  work: (
    edits: FlipEdits,
    rig: ResourcesRig,
    apply: (yaml: string) => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  using data = temporaryDirectory();
  await using rig = await openResourcesRig(data.path);
  const { resources } = rig;
  using configuration = new FlipConfiguration(resources.set, "cluster.local");
  const order = { operator: "bob", isDryRun: false };
  const apply = async (yaml: string): Promise<void> => {
    const { objects } = parseManifests(yaml, "f.yaml");
    await resources.change({ apply: objects, remove: [] }, order);
  };
  await apply(permissive);
  await work(new FlipEdits({ resources, configuration }), rig, apply);
}

const modeIn = ({ resources }: ResourcesRig): string => {
  const found = resources.set.find("PeerAuthentication/shop/api")?.object;
  return found?.kind === "PeerAuthentication" ? found.object.mode : "";
};

describe("the object of a flip", () => {
  it("is written in the name of whoever began it, and back in that of whoever takes it back", async () =>
    await withEdits(async (edits, rig) => {
      await edits.toStrict(flip);
      assert.equal(modeIn(rig), "STRICT");
      await edits.back(flip, "eve");
      assert.equal(modeIn(rig), "PERMISSIVE");
      await edits.back(flip, "eve");
      assert.deepEqual(
        rig.events().map(({ operator }) => operator),
        ["bob", "ada", "eve"],
      );
    }));

  it("is not written where somebody has changed it since it was judged, also just before", async () =>
    await withEdits(async (edits, rig, apply) => {
      // One after the other: this one has its turn first.
      const other = apply(peerYaml("PERMISSIVE", '{ note: "mine" }'));
      await assert.rejects(edits.toStrict(flip), { code: "object-changed" });
      await other;
      assert.equal(modeIn(rig), "PERMISSIVE");
      const { before, after } = { before: undefined, after: JSON.parse(jsonOf(strict)) };
      await assert.rejects(edits.replace("ada", edit.ref, before, after), {
        code: "object-changed",
      });
    }));
});
