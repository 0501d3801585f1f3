/** An object as it is to be committed. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { changedYaml, objectChange } from "./mtls-change.ts";

const written = (mode: string): string =>
  JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: "api", namespace: "shop", creationTimestamp: "2026-01-01T00:00:00.000Z" },
    spec: { mtls: { mode } },
  });

it("what is to be committed does not say when the cluster has created it", () => {
  const change = objectChange({ beforeJson: written("PERMISSIVE"), afterJson: written("STRICT") });
  assert.ok(change);
  assert.match(changedYaml(change), /^ {2}name: api$[^]*mode: STRICT$/m);
  assert.doesNotMatch(changedYaml(change), /creationTimestamp/);
});
