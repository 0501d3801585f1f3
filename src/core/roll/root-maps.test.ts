import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  cart,
  envoy,
  laggardsOf,
  NOW_MS,
  present,
  RollScene,
  wordsOf,
} from "../../../test/support/roll-scene.ts";
import { laggardName } from "./laggard-name.ts";
import type { Gate } from "./laggard.ts";
import type { RootMaps } from "./root-maps.ts";
import { verifierGate } from "./verifier-gate.ts";

const name = "istio-ca-root-cert";

/** Of a mesh whose one agent and proxy hold the present bundle. */
function gateOf(rootMaps: RootMaps | undefined, waived: readonly string[] = [], namedMax = 10) {
  const scene = new RollScene();
  scene.connect(cart, [envoy("p1", present)]);
  const view = { ...(rootMaps && { rootMaps }), waived: new Set(waived) };
  return verifierGate(scene.view(view), NOW_MS, namedMax);
}

const maps = (current: number, behind: readonly string[], why = ""): RootMaps => {
  return { kind: "listed", name, current, behind, whyOf: () => why };
};

const table: readonly (readonly [title: string, maps: RootMaps | undefined, words: string])[] = [
  ["nobody where the server writes none", undefined, "open"],
  ["nobody where each namespace has the present roots", maps(8, []), "open"],
  ["nobody where no namespace is to have one", maps(0, []), "open"],
  [
    "each namespace that has not, by its name",
    maps(6, ["shop", "bank"]),
    "config-map/bank old-bundle, config-map/shop old-bundle",
  ],
  [
    "the server until it has seen all of them",
    { kind: "unlisted", failure: "" },
    "server/config-maps rebuilding",
  ],
];

describe("ConfigMaps with the roots: the gate of the verifiers waits for", () => {
  for (const [title, rootMaps, words] of table) {
    it(title, () => assert.equal(wordsOf(gateOf(rootMaps)), words));
  }

  it("so many by name as are asked for, and counts all", () => {
    const behind = Array.from({ length: 30 }, (_, at) => `n${at}`);
    const gate = gateOf(maps(5, behind), [], 3);
    assert.equal(laggardsOf(gate).length, 3);
    assert.equal(gate.kind === "closed" && gate.lagging, 30);
    // A map is there, and nobody has said that it was read.
    assert.deepEqual(gate.evidence, { total: 37, confirmed: 7, weak: 5, waived: 0 });
  });

  it("not those that are waived, and for the server however it is waived", () => {
    const shop = laggardName("config-map", "shop", "");
    const gate = gateOf(maps(6, ["shop", "bank"]), [shop]);
    assert.equal(wordsOf(gate), "config-map/bank old-bundle");
    assert.equal(gate.evidence.waived, 1);
    const unlisted = gateOf({ kind: "unlisted", failure: "403 no" }, ["server/config-maps"]);
    assert.equal(wordsOf(unlisted), "server/config-maps rebuilding");
    const said = "it lists the ConfigMaps with the roots: 403 no";
    assert.equal(laggardsOf(unlisted)[0]?.detail, said);
  });

  it("one that says why, and by no time that it would open", () => {
    const detailOf = (gate: Gate): string | undefined => laggardsOf(gate)[0]?.detail;
    const said = `what ${name} says is not the present bundle`;
    assert.equal(detailOf(gateOf(maps(0, ["shop"]))), said);
    const gate = gateOf(maps(0, ["shop"], "403 no; next try in 12s"));
    assert.equal(detailOf(gate), `${said}: 403 no; next try in 12s`);
    assert.ok(gate.kind === "closed" && gate.opensAtMs === undefined);
  });

  it("without making a text for those whom it does not name", () => {
    let asked = 0;
    const behind = Array.from({ length: 1_000 }, (_, at) => `n${at}`);
    const whyOf = (): string => `${asked++}`;
    gateOf({ kind: "listed", name, current: 0, behind, whyOf }, [], 2);
    assert.equal(asked, 2);
  });
});
