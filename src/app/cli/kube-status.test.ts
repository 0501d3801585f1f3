import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { KubeStatusSchema } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { isKubeWell, kubeStatusText, kubeStatusValue } from "./kube-status.ts";

const nowMs = Date.UTC(2026, 10, 30, 12);
const after = (seconds: number) => timestampFromMs(nowMs + seconds * 1_000);

const well = {
  server: "https://10.0.0.1:443",
  namespace: "portcullis-system",
  issuer: "https://issuer",
  tokenCheck: "watched",
  tokenCheckConfigured: "watched",
  watches: [
    { resource: "pods", objects: 12n, staleMs: 400n },
    { resource: "sidecars", absent: true },
  ],
};

const maps = { name: "istio-ca-root-cert", total: 3n, current: 3n };
const secret = {
  name: "portcullis-system/trust",
  leaseHolder: "portcullis-0_ab12",
  leaseHeld: true,
  leaseUntil: after(9),
};
const guard = { mode: "warn", caBundle: "current", certificateNotAfter: after(86_400) };

const valueOf = (changes: MessageInitShape<typeof KubeStatusSchema> = {}) =>
  kubeStatusValue(create(KubeStatusSchema, { ...well, ...changes }));

describe("the status of a cluster", () => {
  it("is well while its watches are, also where a CRD of Istio is not installed", () => {
    const value = valueOf();
    assert.equal(isKubeWell(value, nowMs), true);
    assert.deepEqual(kubeStatusText(value, nowMs, false).split("\n"), [
      "cluster https://10.0.0.1:443, namespace portcullis-system: tokens are checked by watches",
      "",
      "WATCH      OBJECTS   BEHIND   TROUBLE",
      "pods       12        0s       -",
      "sidecars   0         -        not installed",
      "",
    ]);
    assert.deepEqual(
      value.watches.map(({ staleMs }) => staleMs),
      [400, null],
    );
  });

  it("says what the server keeps in it", () => {
    const value = valueOf({ bundleMaps: maps, trustSecret: secret, guard });
    assert.equal(isKubeWell(value, nowMs), true);
    assert.deepEqual(kubeStatusText(value, nowMs, false).split("\n").slice(1, 4), [
      "roots in ConfigMap istio-ca-root-cert of 3 of 3 namespaces",
      "trust in Secret portcullis-system/trust: in step; this server has its Lease",
      "guard: warn; the API server has its roots; its certificate expires in 1d",
    ]);
    assert.equal(value.trustSecret?.leaseUntil, "2026-11-30T12:00:09Z");
  });

  const failure = { failure: "kube-forbidden", detail: "403 no", hint: "add a rule" };
  const table: readonly (readonly [string, MessageInitShape<typeof KubeStatusSchema>, RegExp])[] = [
    [
      "tokens are reviewed for a while",
      { tokenCheck: "review" },
      /by asking the API server, and not by watches: watches are behind/,
    ],
    [
      "watches cannot be proven current",
      { livenessProblem: "last GET /livez: 500", livenessHint: "look at it" },
      /^warning: last GET \/livez: 500\nhint: look at it\n\nWATCH/m,
    ],
    [
      "a watch fails",
      { watches: [{ resource: "pods", ...failure }] },
      /kube-forbidden: 403 no\nhint: add a rule\n$/,
    ],
    [
      "objects cannot be read",
      { watches: [{ resource: "pods", unreadable: 2n }] },
      /2 could not be read/,
    ],
    [
      "what must be there is not",
      { watches: [{ resource: "pods", absent: true }] },
      /the API server does not know it/,
    ],
    [
      "namespaces have not the present roots",
      { bundleMaps: { ...maps, total: 7n, behind: ["a", "b"] } },
      /^warning: roots in ConfigMap \S+ of 3 of 7 namespaces; behind: a, b, 2 more$/m,
    ],
    [
      "a namespace cannot have them",
      { bundleMaps: { ...maps, failing: [{ namespace: "kube", detail: "403 quota" }] } },
      /^warning: namespace kube cannot have it: 403 quota$/m,
    ],
    [
      "a namespace cannot have them for a while",
      { bundleMaps: { ...maps, failing: [{ namespace: "kube", detail: "no", retryMs: 11_200n }] } },
      /^warning: namespace kube cannot have it: no; next try in 12s$/m,
    ],
    [
      "somebody else writes them",
      { bundleMaps: { ...maps, contested: 3n, contestedBy: "pilot-discovery" } },
      /^warning: pilot-discovery writes it, too, in 3 namespaces$/m,
    ],
    [
      "the Secret has not the trust",
      { trustSecret: { ...secret, behindSince: after(-90) } },
      /^warning: trust in Secret \S+: behind for 1m30s; this server has its Lease$/m,
    ],
    [
      "the Secret's trust is another's",
      { trustSecret: { ...secret, problem: "the Secret is of another mesh", hint: "delete it" } },
      /^warning: trust in Secret \S+: the Secret is of another mesh; this .*\nhint: delete it$/m,
    ],
    [
      "another has the Lease",
      {
        trustSecret: {
          ...secret,
          leaseHeld: false,
          leaseHolder: "other_1",
          takenOverAt: after(-60),
        },
      },
      /^warning: .*: in step; taken over 1m ago; other_1 has its Lease \(ends in 9s\)$/m,
    ],
    [
      "nobody has the Lease",
      { trustSecret: { name: "a/b" } },
      /^warning: trust in Secret a\/b: in step; nobody has its Lease$/m,
    ],
    [
      "the API server has other roots of the webhook",
      { guard: { ...guard, caBundle: "behind" } },
      /^warning: guard: warn; the API server has not its roots \(caBundle\);/m,
    ],
    [
      "nobody asks the webhook",
      { guard: { ...guard, caBundle: "missing" } },
      /^warning: guard: warn; no API server asks:/m,
    ],
    [
      "the webhook's certificate was not renewed",
      { guard: { ...guard, certificateNotAfter: after(1_800) } },
      /^warning: guard: .*expires in 30m$/m,
    ],
  ];
  for (const [title, changes, said] of table) {
    it(`is not well when ${title}, and says so`, () => {
      const value = valueOf(changes);
      assert.equal(isKubeWell(value, nowMs), false);
      assert.match(kubeStatusText(value, nowMs, false), said);
    });
  }
});
