/** `status` while a rotation is on: each authority with its state, the key of JWT-SVIDs among them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fetchStatus } from "../../src/edge/rpc/admin-client.ts";
import { startControlPlane } from "../support/control-plane.ts";
import { command, prepare } from "./mesh-evidence-rig.ts";
import { runVerb } from "./portcullis-process.ts";

test("status shows every authority with its state, in each step", async () => {
  await using it = await startControlPlane();
  const authorities = async (): Promise<readonly string[]> => {
    const { status, stdout } = await runVerb(["status", "--data-dir", it.config.dataDir]);
    assert.equal(status, 0, stdout);
    const shown = await fetchStatus(it.controlPlane.endpoints.admin);
    for (const { id, state } of shown.authorities) {
      assert.match(stdout, new RegExp(`^${id} +${state} `, "m"));
    }
    return shown.authorities.map(({ state, kind, keyLocation }) => {
      return `${kind} ${state} ${keyLocation}`;
    });
  };
  assert.deepEqual(await authorities(), ["x509 active store", "jwt active store"]);
  await prepare(it);
  assert.deepEqual(await authorities(), [
    "x509 active store",
    "x509 prepared store",
    "jwt active store",
  ]);
  assert.equal(await command(it, { kind: "activate" }), "done");
  assert.deepEqual((await authorities()).toSorted(), [
    "jwt active store",
    "x509 active store",
    "x509 retiring store",
  ]);
  assert.equal(await command(it, { kind: "retire" }), "done");
  assert.deepEqual(await authorities(), ["x509 active store", "jwt active store"]);
});
