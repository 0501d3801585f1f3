/** Edits of any small configuration: they do what they are for and nothing else, can be held back and taken back, and are read as they are. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { workload } from "../../../test/policy/objects.ts";
import { editSources, manifestFor } from "../../../test/support/flip-objects.ts";
import { labelsOf, peerOf } from "../../../test/support/policy-objects.ts";
import { parseManifest } from "../../edge/resources/parse-manifests.ts";
import { decidePort, Holds } from "../policy/holds.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import { sameValue } from "../policy/same-value.ts";
import type { PeerAuthentication, PeerMode } from "../resources/peer-authentication.ts";
import { refKey, type PolicyObject } from "../resources/policy-object.ts";
import { nameKey } from "../resources/resource.ts";
import type { EditedPolicy } from "./edited-policy.ts";
import { isRefusal } from "./flip-error.ts";
import { holdOf } from "./flip-hold.ts";
import { isFlipPort, newFlip, type Flip } from "./flip.ts";
import { objectSays } from "./object-says.ts";
import { planPermissive } from "./permissive-edit.ts";
import { resolveTarget } from "./resolve-target.ts";
import { planRevert } from "./revert-edit.ts";
import { planStrict } from "./strict-edit.ts";
import { concerns, labelledOf, type FlipTarget } from "./target.ts";
import { viewWith } from "./view-with.ts";

const mode = fc.constantFrom<PeerMode>("UNSET", "DISABLE", "PERMISSIVE", "PERMISSIVE", "STRICT");
const portModes = fc.dictionary(fc.constantFrom("80", "81"), mode);
const written = fc.record({
  at: fc.constantFrom("a/default", "a/p", "a/q", "istio-system/m"),
  mode,
  createdMs: fc.constantFrom(1_000, 2_000),
  selector: fc.constantFrom({}, { app: "x" }, { app: "x" }, { app: "x", tier: "1" }, { tier: "1" }),
  ports: portModes,
});
const peers = fc
  .uniqueArray(written, { maxLength: 4, selector: ({ at }) => at })
  .map((all) =>
    all.map((each) =>
      peerOf(Object.keys(each.selector).length > 0 ? each : { ...each, ports: {} }),
    ),
  );
const labels = [
  { app: "x", tier: "1" },
  { app: "x", tier: "2" },
  { app: "y", tier: "1" },
  { app: "y" },
];
const workloads: readonly PolicyObject[] = labels.flatMap((each, at) =>
  ["a", "b"].map((namespace) =>
    workload(`${namespace}/w${at}`, { labels: labelsOf(each), ports: new Map([["http", 80]]) }),
  ),
);
const text = fc.constantFrom("a", "a/p", "a/p:80", "a/q", "a/q:81", "a/w0", "a/w3:80", "a/w3");
const objectsOf = (all: readonly PeerAuthentication[]): readonly PolicyObject[] => [
  ...workloads,
  ...all.map((object) => ({ kind: "PeerAuthentication", object }) as const),
];

const ports = [0, 80, 81];
interface At {
  readonly name: string;
  readonly port: number;
  readonly isOfTarget: boolean;
  readonly mode: string;
}

function modesOf(view: MeshView, target: FlipTarget, flip?: Flip): readonly At[] {
  const holds = flip && holdOf(flip);
  const { mesh } = viewWithHold(view, holds);
  return view.objects.workloads.flatMap((each) =>
    ports.map((port) => ({
      name: nameKey(each.ref),
      port,
      isOfTarget: concerns(view.mesh.peers, target, labelledOf(each), port),
      mode: decidePort(mesh, { ...labelledOf(each), name: each.ref.name }, port).mode,
    })),
  );
}

function viewWithHold({ mesh }: MeshView, hold: ReturnType<typeof holdOf>) {
  return { mesh: { ...mesh, holds: new Holds(hold === undefined ? [] : [hold]) } };
}

/** Istio has them in one form, whatever somebody has written. */
function assertRead({ object, manifest }: EditedPolicy): void {
  const { objects, problems } = parseManifest(JSON.stringify(manifest), "");
  assert.deepEqual(
    problems.filter(({ severity }) => severity === "error"),
    [],
  );
  // What is made gets its age when it is stored.
  const isNew = JSON.stringify(manifest).includes("creationTimestamp")
    ? {}
    : { createdMs: undefined };
  assert.deepEqual(objects[0]?.object, {
    kind: "PeerAuthentication",
    object: { ...object, ...isNew },
  });
  assert.equal(JSON.stringify(objects[0]?.manifest), JSON.stringify(manifest));
}

interface Planned {
  readonly target: FlipTarget;
  readonly before: MeshView;
  readonly after: MeshView;
  readonly edited: EditedPolicy;
  readonly flip: Flip;
}

function planOf(all: readonly PeerAuthentication[], wanted: string): Planned | undefined {
  const sources = editSources(objectsOf(all), 3_000);
  let target: FlipTarget;
  try {
    target = resolveTarget(wanted, sources.view);
  } catch {
    return undefined;
  }
  const edit = planStrict(target, sources);
  if (isRefusal(edit)) return undefined;
  const { ref, before, after, ports: moved, exceptPorts } = edit;
  const flip = newFlip({
    id: 1,
    target,
    operator: "o",
    startedMs: 0,
    lookBackMs: 1,
    stages: [{ kind: "all" }],
    revertWindowMs: 1,
    revertOnRefused: undefined,
    ports: moved,
    exceptPorts,
    edit: {
      ref,
      beforeJson: before && JSON.stringify(before.manifest),
      afterJson: JSON.stringify(after.manifest),
      isOurs: true,
    },
  });
  return {
    target,
    before: sources.view,
    after: viewWith(sources.view, ref, after.object),
    edited: after,
    flip,
  };
}

test("an edit makes the target strict and changes nobody else, holding it back changes nothing, and its manifest says it", () => {
  let count = 0;
  fc.assert(
    fc.property(peers, text, (all, wanted) => {
      const plan = planOf(all, wanted);
      if (plan === undefined) return;
      count++;
      const { target, before, after, flip } = plan;
      assertRead(plan.edited);
      const was = modesOf(before, target);
      for (const [at, is] of modesOf(after, target).entries()) {
        const old = was[at];
        assert.ok(old !== undefined);
        assert.equal(is.mode, old.isOfTarget ? "strict" : old.mode);
        if (old.isOfTarget) assert.equal(isFlipPort(flip, old.port), old.mode !== "strict");
      }
      assert.deepEqual(
        modesOf(after, target, flip).map((each) => each.mode),
        was.map((each) => each.mode),
      );
      assert.equal(objectSays(flip, before), "before");
      assert.equal(objectSays(flip, after), "after");
    }),
    { numRuns: 2_000 },
  );
  assert.ok(count > 300, `${count} edits`);
});

test("the way back of an edit that nobody has touched leaves everything as it was", () => {
  let count = 0;
  fc.assert(
    fc.property(peers, text, (all, wanted) => {
      const plan = planOf(all, wanted);
      if (plan === undefined) return;
      count++;
      const { target, before, after, edited, flip } = plan;
      const back = planRevert(flip, { view: after, manifest: edited.manifest });
      assert.notEqual(back.kind, "nothing");
      if (back.kind === "put") assertRead(back.after);
      const { ref } = flip.edit;
      const view = viewWith(after, ref, back.kind === "put" ? back.after.object : undefined);
      assert.deepEqual(modesOf(view, target), modesOf(before, target));
      const old = before.objects.peers.find((each) => nameKey(each.ref) === nameKey(ref));
      assert.equal(back.kind === "put", old !== undefined);
      if (back.kind === "put" && old !== undefined)
        assert.deepEqual(back.after.manifest, manifestFor(old));
    }),
    { numRuns: 2_000 },
  );
  assert.ok(count > 300, `${count} edits`);
});

test("the way back after others' changes of the object and of wider ones takes strict away from the flip's ports, and no more", () => {
  let count = 0;
  const change = fc.record({
    mode: fc.option(mode, { nil: undefined }),
    ports: portModes,
    wide: fc.option(mode, { nil: undefined }),
  });
  fc.assert(
    fc.property(peers, text, change, (all, wanted, { mode: other, ports: lines, wide }) => {
      const plan = planOf(all, wanted);
      if (plan === undefined) return;
      const { target, after, edited, flip } = plan;
      const object = {
        ...edited.object,
        ...(other !== undefined && { mode: other }),
        ports: new Map([
          ...edited.object.ports,
          ...(target.name === "" ? [] : peerOf({ at: "a/x", mode: "UNSET", ports: lines }).ports),
        ]),
      };
      const widest = peerOf({ at: "istio-system/m", mode: wide ?? "UNSET", createdMs: 1 });
      const now = viewWith(viewWith(after, object.ref, object), widest.ref, widest);
      const isUntouched = sameValue(object, edited.object);
      const manifest = isUntouched ? edited.manifest : manifestFor(object);
      const back = planRevert(flip, { view: now, manifest });
      if (back.kind === "put") assertRead(back.after);
      const next =
        back.kind === "put" ? back.after.object : back.kind === "nothing" ? object : undefined;
      const was = modesOf(now, target);
      for (const [at, is] of modesOf(viewWith(now, object.ref, next), target).entries()) {
        const old = was[at];
        assert.ok(old !== undefined);
        const isFlipped = old.isOfTarget && isFlipPort(flip, old.port);
        if (isFlipped) assert.notEqual(is.mode, "strict", JSON.stringify([old, is, back]));
        if (isFlipped && old.mode === "disable") assert.equal(is.mode, "disable");
        if (!isFlipped) assert.equal(is.mode, old.mode, JSON.stringify([old, is, back]));
      }
      if (back.kind === "put") count++;
    }),
    { numRuns: 3_000 },
  );
  assert.ok(count > 100, `${count} edits`);
});

test("a debt makes the target permissive but for lines of their own, and is written as it is read", () => {
  let count = 0;
  fc.assert(
    fc.property(peers, text, (all, wanted) => {
      const sources = editSources(objectsOf(all), 3_000);
      let target: FlipTarget;
      try {
        target = resolveTarget(wanted, sources.view);
      } catch {
        return;
      }
      const edit = planPermissive(target, sources, { untilMs: 86_400_000, owner: "team-x" });
      if (isRefusal(edit))
        return assert.ok(["other-object", "name-taken"].includes(edit.code), edit.message);
      count++;
      assertRead(edit.after);
      if (target.ports.length > 0) assert.deepEqual(edit.keptPorts, []);
      const kept = new Map(edit.keptPorts.map((each) => [each.port, each.mode.toLowerCase()]));
      const was = modesOf(sources.view, target);
      for (const [at, is] of modesOf(
        viewWith(sources.view, edit.ref, edit.after.object),
        target,
      ).entries()) {
        const old = was[at];
        assert.ok(old !== undefined);
        assert.equal(is.mode, old.isOfTarget ? (kept.get(is.port) ?? "permissive") : old.mode);
      }
      const again = [
        ...all.filter(({ ref }) => refKey(ref) !== refKey(edit.ref)),
        edit.after.object,
      ];
      const written = editSources(objectsOf(again));
      const second = planPermissive(
        target,
        { ...written, manifestOf: () => edit.after.manifest },
        { untilMs: 86_400_000, owner: "team-x" },
      );
      assert.ok(!isRefusal(second) && second.isUnchanged);
    }),
    { numRuns: 1_000 },
  );
  assert.ok(count > 200, `${count} debts`);
});
