/** What whoever reaches the admission webhook sends: an AdmissionReview with a PeerAuthentication in it. */

import assert from "node:assert/strict";
import { readChange } from "../../../src/app/server/kube/guard/guard-change.ts";
import { decideAdmission } from "../../../src/core/kube/guard/admission-decision.ts";
import {
  admissionReview,
  parseAdmissionReview,
} from "../../../src/core/kube/guard/admission-review.ts";
import { onlyRelaxes } from "../../../src/core/kube/guard/stricter-ports.ts";
import { peerObject } from "../../support/guard-rig.ts";
import { textOf, valueOrTyped, type FuzzTarget } from "../target.ts";

const strict = peerObject("shop/api", { mode: "STRICT", app: "api" });
const permissive = peerObject("shop/api", {
  mode: "PERMISSIVE",
  app: "api",
  ports: { 80: "DISABLE" },
});

function reviewOf(more: object): string {
  const resource = { group: "security.istio.io", version: "v1", resource: "peerauthentications" };
  const who = { userInfo: { username: "ada", groups: ["system:masters"] }, dryRun: false };
  const request = { uid: "7", resource, namespace: "shop", name: "api", ...who, ...more };
  return JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request });
}

export const admission: FuzzTarget = {
  name: "admission-review",
  shape: "text",
  dictionary: [
    '"oldObject":',
    '"subResource":"status"',
    '"portLevelMtls":{"80":{"mode":"STRICT"}}',
    '"UNSET"',
    "DELETE",
    "null",
    "{}",
    '"metadata":{"creationTimestamp":"2026-01-01T00:00:00Z"}',
  ],
  seeds: () => ({
    create: reviewOf({ operation: "CREATE", object: strict, oldObject: null }),
    update: reviewOf({ operation: "UPDATE", object: strict, oldObject: permissive }),
    delete: reviewOf({ operation: "DELETE", object: null, oldObject: permissive }),
  }),
  check: (input) => {
    const asked = valueOrTyped(() => parseAdmissionReview(textOf(input)));
    if (asked === undefined) return false;
    const { uid, change } = asked;
    const parts = [{ text: uid, isNew: true, kind: "unsafe", names: [asked.username] }] as const;
    const object = `${change?.namespace}/${change?.name}`;
    const judged = { operation: "CREATE", object, parts, cut: "" } as const;
    for (const mode of ["warn", "enforce"] as const) {
      const answer = decideAdmission(mode, judged);
      const { response } = JSON.parse(JSON.stringify(admissionReview(uid, answer)));
      assert.equal(response.uid, uid);
      assert.ok(answer.warnings.every((text) => /^[\x20-\x7e]{1,256}$/.test(text)));
    }
    if (change === undefined) return true;
    const read = valueOrTyped(() =>
      readChange(change, { inForce: () => undefined, belowCluster: () => undefined }),
    );
    assert.ok(read !== undefined, "an object of a review is read without an error");
    if (read.kind === "unreadable") assert.notEqual(read.why, "");
    if (read.kind === "change" && onlyRelaxes(read.change)) {
      // Nothing that says STRICT passes without a look, unless it was said before.
      const { before, after } = read.change;
      const isStrict =
        after !== undefined && [after.mode, ...after.ports.values()].includes("STRICT");
      assert.ok(!isStrict || before !== undefined);
    }
    return true;
  },
};
