/** Each check, well and broken: a table. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkAccess } from "./check-access.ts";
import { checkAudiences } from "./check-audiences.ts";
import { checkBundleMaps, checkPods, checkSettings, checkTrustSecret } from "./check-cluster.ts";
import { checkKinds } from "./check-kinds.ts";
import {
  checkDataDirectory,
  checkEvidence,
  checkLog,
  checkPorts,
  checkReloads,
  checkSigning,
} from "./check-server.ts";
import { checkClockJump, checkClocks, checkExpiries, checkOwnClock } from "./check-times.ts";
import { checkAgents, checkApiServer, checkVersions } from "./check-versions.ts";
import { checkWatches, type WatchFact, type WatchFacts } from "./check-watches.ts";
import { checkWebhook } from "./check-webhook.ts";
import { clusterNeeds } from "./cluster-needs.ts";
import type { CheckStatus, Said } from "./finding.ts";

type Row = readonly [what: string, said: readonly Said[], status: CheckStatus, words: RegExp];

const subject = "system:serviceaccount:mesh:portcullis";
const settings = {
  namespace: "mesh",
  bundleConfigMap: "roots",
  policyStatus: true,
  trustSecret: "trust",
  hasOperators: true,
  hasGuard: true,
};
const needs = clusterNeeds(settings);
function access(isAllowed: (words: string) => boolean | string): readonly Said[] {
  const answers = needs.map((need) => ({
    need,
    isAllowed: isAllowed(`${need.verb} ${need.resource}`),
  }));
  return checkAccess({ subject, answers });
}

const rbac: readonly Row[] = [
  ["all rights", access(() => true), "ok", /has each of the 5\d rights/],
  [
    "no tokenreviews",
    access((words) => words !== "create tokenreviews"),
    "critical",
    /may not create tokenreviews\.authentication\.k8s\.io: tokens cannot be checked/,
  ],
  [
    "no subjectaccessreviews",
    access((words) => words !== "create subjectaccessreviews"),
    "critical",
    /may not create subjectaccessreviews\.authorization\.k8s\.io: no operator is let in/,
  ],
  [
    "no Lease",
    access((words) => words !== "update leases"),
    "critical",
    /update leases\.coordination\.k8s\.io trust in mesh: nothing is signed/,
  ],
  ["half of events", access((words) => words !== "patch events"), "warning", /make no Events/],
  [
    "no events at all, as by the chart's events: false",
    access((words) => !words.endsWith(" events")),
    "ok",
    /each of the \d+ rights that it needs; portcullis-events is off, or not bound: refusals make no Events$/,
  ],
  [
    "no flips, as by the chart's flipsWrite: false",
    access((words) => !/^(?:create|patch|delete) peerauthentications$/.test(words)),
    "ok",
    /; portcullis-flips is off, or not bound: flips cannot write their objects$/,
  ],
  [
    "no conditions, which the settings ask for",
    access((words) => words !== "patch peerauthentications/status"),
    "warning",
    /no conditions are written/,
  ],
  ["questions that fail", access(() => "403"), "skipped", /^5\d of 5\d rights: 403$/],
];

it("a server that writes no conditions needs no right to", () => {
  const roles = clusterNeeds({ ...settings, policyStatus: false }).map(({ role }) => role);
  assert.equal(roles.includes("portcullis-policy-status"), false);
});

const clock = (aheadMs: number, errorMs = 600): readonly Said[] =>
  checkClocks({ base: "the server", readings: [{ whose: "it", aheadMs, errorMs }], agentsMs: 0 });
const agents = (agentsMs: number): readonly Said[] =>
  checkClocks({ base: "the server", readings: [], agentsMs });
const dayMs = 86_400_000;
const life = (days: number, leftDays: number): readonly Said[] => {
  const nowMs = 1_000 * dayMs;
  const [notAfterMs, hint] = [nowMs + leftDays * dayMs, "renew"];
  const notBeforeMs = notAfterMs - days * dayMs;
  return checkExpiries({ nowMs, certificates: [{ name: "it", notBeforeMs, notAfterMs, hint }] });
};

const times: readonly Row[] = [
  ["the same clock", clock(0), "ok", /agrees with it and agents/],
  ["less than the reading's own error", clock(5_500), "ok", /agrees/],
  ["no clock at all", checkClocks({ base: "it", readings: [] }), "skipped", /no other clock/],
  ["7 s", clock(-7_600), "warning", /clock of it is 7 s behind that of the server/],
  ["tokens that are not valid yet", clock(10_600), "critical", /10 s ahead of/],
  ["12 s behind", clock(-12_600), "warning", /12 s behind/],
  ["a minute behind", clock(-60_600), "critical", /60 s behind/],
  ["an agent that is 30 s off", agents(30_000), "warning", /off by 30 s/],
  ["an agent before its certificate begins", agents(120_000), "critical", /2 minutes before/],
  [
    "an operator's clock, however wrong",
    checkOwnClock({ base: "it", readings: [{ whose: "this", aheadMs: 1e6, errorMs: 0 }] }),
    "warning",
    /clock of this is 1000 s ahead/,
  ],
  ["no jump", checkClockJump({ jumpMs: 0 }), "ok", /has not/],
  ["a jump back", checkClockJump({ jumpMs: -90_000 }), "critical", /by -90 s: nothing is signed/],
  ["a root with a year left", life(3_650, 365), "ok", /none of 1/],
  ["a root with 29 days left", life(3_650, 29), "warning", /in 29 days/],
  ["a root with 6 days left", life(3_650, 6), "critical", /in 6 days/],
  ["a day's certificate at half of its life", life(1, 0.5), "ok", /none/],
  ["a day's certificate with 5 hours left", life(1, 0.21), "warning", /in 5 hours/],
  ["a day's certificate with an hour left", life(1, 0.045), "critical", /in 64 minutes/],
  ["one that is over", life(1, -1), "critical", /has expired/],
  ["one that has not begun", life(1, 2), "critical", /not valid yet/],
];

const kind = (versions: readonly string[]): readonly Said[] =>
  checkKinds([{ kind: "Sidecar", group: "networking.istio.io", versions }]);

const crds: readonly Row[] = [
  ["v1 among others", kind(["v1alpha3", "v1"]), "ok", /1 kinds/],
  ["only others", kind(["v1beta1"]), "critical", /served at v1beta1 and not at v1: none is read/],
  ["none", kind([]), "warning", /Sidecar\.networking\.istio\.io is not installed/],
];

const tokens = { issuers: ["https://k8s"], published: "https://k8s", keys: 1 };
const audience = { ...tokens, audiences: ["istio-ca"], adminAudience: "admin" };

const audiences: readonly Row[] = [
  ["one of its own", checkAudiences(audience), "ok", /https:\/\/k8s for istio-ca/],
  [
    "an issuer that the server has not read yet",
    checkAudiences({ ...audience, issuers: ["https://before"] }),
    "warning",
    /^tokens of https:\/\/before are believed, and the API server issues them as https:\/\/k8s$/,
  ],
  [
    "a former issuer",
    checkAudiences({ ...audience, issuers: ["https://k8s", "https://before"] }),
    "ok",
    /^tokens of https:\/\/k8s, and of before https:\/\/before, for istio-ca$/,
  ],
  [
    "those of a server that cannot be asked",
    checkAudiences({ ...audience, issuers: undefined }),
    "ok",
    /https:\/\/k8s for istio-ca/,
  ],
  ["no keys", checkAudiences({ ...audience, keys: 0 }), "critical", /publishes no key/],
  ["none", checkAudiences({ ...audience, audiences: [] }), "critical", /no token is let in/],
  [
    "the operators'",
    checkAudiences({ ...audience, audiences: ["istio-ca", "admin"] }),
    "critical",
    /^admin is the audience of operators and of workloads/,
  ],
  [
    "the API server's own",
    checkAudiences({ ...audience, audiences: ["https://k8s"] }),
    "warning",
    /the API server's own audience/,
  ],
  [
    "operators by each pod's own token",
    checkAudiences({ ...audience, adminAudience: "https://k8s" }),
    "critical",
    /^https:\/\/k8s is the audience of operators and, by default, of the API server itself$/,
  ],
  [
    "operators by a pod's token of before",
    checkAudiences({
      ...audience,
      issuers: ["https://k8s", "https://before"],
      adminAudience: "https://before",
    }),
    "critical",
    /^https:\/\/before is the audience of operators/,
  ],
];

const entry = { name: "guard", roots: ["a"], isFailing: false, host: "portcullis.mesh.svc" };
const shown = { names: ["portcullis.mesh.svc"] };
const guard = { mode: "warn", roots: ["a"], configuration: [entry], shown } as const;
const enforced = { ...guard, mode: "enforce" } as const;

const webhook: readonly Row[] = [
  ["of one mind", checkWebhook(guard), "ok", /believes it/],
  [
    "off, and nobody is asked",
    checkWebhook({ ...guard, mode: "off", configuration: undefined }),
    "ok",
    /off/,
  ],
  ["off, and asked", checkWebhook({ ...guard, mode: "off" }), "warning", /waits in vain/],
  [
    "off, and must answer",
    checkWebhook({ ...guard, mode: "off", configuration: [{ ...entry, isFailing: true }] }),
    "critical",
    /cannot be changed/,
  ],
  [
    "no configuration",
    checkWebhook({ ...guard, configuration: undefined }),
    "warning",
    /there is no/,
  ],
  [
    "none to enforce",
    checkWebhook({ ...enforced, configuration: undefined }),
    "critical",
    /there is no/,
  ],
  ["no webhooks", checkWebhook({ ...guard, configuration: [] }), "warning", /no webhooks/],
  ["enforce with Ignore", checkWebhook(enforced), "warning", /failurePolicy is Ignore/],
  [
    "warn with Fail",
    checkWebhook({ ...guard, configuration: [{ ...entry, isFailing: true }] }),
    "warning",
    /failurePolicy is Fail/,
  ],
  [
    "another's roots",
    checkWebhook({ ...guard, roots: ["b"] }),
    "critical",
    /none of the mesh's roots/,
  ],
  [
    "a caBundle that is no PEM",
    checkWebhook({ ...guard, configuration: [{ ...entry, roots: undefined }] }),
    "critical",
    /none of the mesh's roots: each change passes unseen/,
  ],
  [
    "a root that is missing",
    checkWebhook({ ...guard, roots: ["a", "b"] }),
    "warning",
    /is without b/,
  ],
  [
    "a root of somebody else",
    checkWebhook({ ...guard, configuration: [{ ...entry, roots: ["a", "evil"] }] }),
    "warning",
    /has evil, which is no root of the mesh/,
  ],
  [
    "a certificate for another name",
    checkWebhook({ ...guard, shown: { names: ["portcullis.other.svc"] } }),
    "critical",
    /called as portcullis\.mesh\.svc, and its certificate is for portcullis\.other\.svc/,
  ],
];

const watch: WatchFact = {
  resource: "pods",
  staleMs: 20,
  isAbsent: false,
  unreadable: 0,
  failure: "",
  hint: "",
};
const watching = (
  changes: Partial<WatchFact>,
  now = "watched",
  liveness?: WatchFacts["liveness"],
): readonly Said[] =>
  checkWatches({
    watches: [{ ...watch, ...changes }],
    liveness,
    staleMaxMs: 10_000,
    tokenCheck: now,
    tokenCheckConfigured: "watched",
  });
const maps = {
  name: "roots",
  total: 3,
  behind: 0,
  names: [],
  rivals: new Map<string, number>(),
  failing: [],
};
const shortfall = undefined;
const seen = { name: "mesh/trust", isSeen: true, holder: "a" };
const trust = { ...seen, problems: [], isBehind: false, shortfall };
const tooLarge = { detail: "the deny list is too large", hint: "portcullis deny list" };

const cluster: readonly Row[] = [
  ["watches that are current", watching({}), "ok", /1 watches are current/],
  ["pods behind", watching({ staleMs: 11_000 }), "critical", /pods is 11 s behind/],
  ["pods never seen", watching({ staleMs: undefined }), "critical", /never been filled/],
  [
    "services behind",
    watching({ resource: "services", staleMs: 11_000 }),
    "warning",
    /services is/,
  ],
  ["a watch that fails", watching({ failure: "403" }), "critical", /the watch of pods fails: 403/],
  ["an API server without pods", watching({ isAbsent: true }), "critical", /does not know pods/],
  [
    "a kind that is not installed",
    watching({ resource: "sidecars", isAbsent: true }),
    "ok",
    /current/,
  ],
  ["unreadable objects", watching({ unreadable: 2 }), "warning", /2 pods could not be read/],
  [
    "an API server that does not say that it lives",
    watching({}, "watched", { detail: "last GET /livez: 500", hint: "look at it" }),
    "warning",
    /^last GET \/livez: 500$/,
  ],
  ["tokens by review", watching({}, "review"), "warning", /by review, and not by watched/],
  [
    "a file with which a server starts",
    checkSettings({ name: "mesh/portcullis", fault: undefined }),
    "ok",
    /^ConfigMap mesh\/portcullis has what a server starts with$/,
  ],
  [
    "a file with which none does",
    checkSettings({ name: "mesh/portcullis", fault: { detail: "a: expected b, got c", hint: "" } }),
    "critical",
    /^no server starts with ConfigMap mesh\/portcullis: a: expected b, got c$/,
  ],
  ["roots everywhere", checkBundleMaps(maps), "ok", /in all of 3 namespaces/],
  ["no ConfigMaps", checkBundleMaps({ ...maps, name: "off" }), "ok", /no ConfigMaps/],
  [
    "one behind",
    checkBundleMaps({ ...maps, behind: 1, names: ["shop"] }),
    "warning",
    /1 of 3 namespaces: shop/,
  ],
  [
    "a rival",
    checkBundleMaps({ ...maps, rivals: new Map([["istiod", 1]]) }),
    "warning",
    /^istiod writes other roots into roots in 1 namespace$/,
  ],
  [
    "a namespace that takes none",
    checkBundleMaps({ ...maps, failing: [{ namespace: "shop", reason: "quota" }] }),
    "warning",
    /cannot be written in shop: quota/,
  ],
  [
    "the trust in its Secret",
    checkTrustSecret(trust),
    "ok",
    /Secret mesh\/trust has the trust; a has the Lease/,
  ],
  [
    "a Lease alone",
    checkTrustSecret({ ...trust, isSeen: false }),
    "ok",
    /^a has the Lease mesh\/trust$/,
  ],
  [
    "a Secret of another epoch",
    checkTrustSecret({ ...trust, problems: [{ detail: "forked", hint: "delete it" }] }),
    "critical",
    /forked/,
  ],
  [
    "a Secret that cannot have all",
    checkTrustSecret({ ...trust, isBehind: true, shortfall: tooLarge }),
    "warning",
    /^mesh\/trust is behind the server: the deny list is too large$/,
  ],
  [
    "a Secret that another writes",
    checkTrustSecret({ ...trust, shortfall: { detail: "argocd writes it, too", hint: "stop it" } }),
    "warning",
    /^mesh\/trust: argocd writes it, too$/,
  ],
  [
    "a Secret behind",
    checkTrustSecret({ ...trust, isBehind: true }),
    "warning",
    /is behind the server/,
  ],
  [
    "a Lease of nobody",
    checkTrustSecret({ ...trust, holder: "" }),
    "warning",
    /nobody has the Lease/,
  ],
  ["no pod", checkPods({ namespace: "mesh", pods: [] }), "critical", /mesh has no pod/],
  [
    "a pod that crashes",
    checkPods({
      namespace: "mesh",
      pods: [{ name: "p-0", isReady: false, reason: "CrashLoopBackOff" }],
    }),
    "critical",
    /pod p-0 is not ready: CrashLoopBackOff/,
  ],
  [
    "a pod that is ready",
    checkPods({ namespace: "mesh", pods: [{ name: "p-0", isReady: true, reason: "" }] }),
    "ok",
    /is ready/,
  ],
];

const evidence = { sinceMs: 0, aside: [], retentionMs: 7, lookBackMs: 7 };
const file = { path: "/data", mode: 0o700, isOurs: true };
const port = { name: "the CA", address: "127.0.0.1:1", problem: "" };

const server: readonly Row[] = [
  ["a server that signs", checkSigning([]), "ok", /signed/],
  [
    "one that does not",
    checkSigning([{ detail: "the disk is full", hint: "" }]),
    "critical",
    /nothing is signed: the disk is full/,
  ],
  ["a good log", checkLog(0), "ok", /nobody/],
  ["alarms", checkLog(2), "critical", /2 alarms/],
  ["what is on disk", checkReloads([]), "ok", /runs/],
  [
    "a refused configuration",
    checkReloads([{ part: "configuration", detail: "bad", hint: "" }]),
    "warning",
    /an older configuration runs than stands on disk: bad/,
  ],
  ["evidence", checkEvidence(evidence), "ok", /since 1970/],
  ["no evidence", checkEvidence({ ...evidence, sinceMs: undefined }), "critical", /not written/],
  [
    "evidence set aside",
    checkEvidence({ ...evidence, aside: ["evidence.db.aside-1"] }),
    "warning",
    /aside-1; what is kept begins/,
  ],
  ["a look back beyond it", checkEvidence({ ...evidence, lookBackMs: 8 }), "critical", /less long/],
  ["a closed directory", checkDataDirectory([file]), "ok", /closed/],
  [
    "an open one",
    checkDataDirectory([{ ...file, mode: 0o750 }]),
    "critical",
    /enter or read \/data/,
  ],
  ["another user's", checkDataDirectory([{ ...file, isOurs: false }]), "critical", /another user/],
  ["ports that answer", checkPorts([port]), "ok", /^the CA at 127\.0\.0\.1:1$/],
  [
    "one that does not",
    checkPorts([{ ...port, problem: "ECONNREFUSED" }]),
    "critical",
    /ECONNREFUSED/,
  ],
  ["one version", checkVersions({ cli: "1", server: "1" }), "ok", /both are 1/],
  [
    "two",
    checkVersions({ cli: "2", server: "1" }),
    "warning",
    /this command is 2, and the server 1/,
  ],
  [
    "agents of its version",
    checkAgents({ server: "1", agents: new Map([["1", 3]]) }),
    "ok",
    /3 agents are 1/,
  ],
  ["no agents", checkAgents({ server: "1", agents: new Map() }), "ok", /no agent/],
  [
    "older agents",
    checkAgents({ server: "2", agents: new Map([["1", 3]]) }),
    "warning",
    /3 agents of version 1/,
  ],
  [
    "silent agents",
    checkAgents({ server: "2", agents: new Map([["", 1]]) }),
    "warning",
    /unknown version/,
  ],
  ["a supported API server", checkApiServer({ version: "v1.37.2" }), "ok", /v1\.37\.2/],
  ["an old one", checkApiServer({ version: "v1.29.9+k3s1" }), "critical", /older than 1\.30/],
  ["no version", checkApiServer({ version: "" }), "warning", /not understood/],
];

it("a watch that is behind where the API server does not live is no matter of rights", () => {
  const liveness = { detail: "last GET /livez: 500", hint: "look at it" };
  const said = watching({ staleMs: 11_000 }, "review", liveness);
  assert.deepEqual(
    said.map(({ status, hint }) => [status, hint]),
    [
      ["warning", "look at it"],
      ["critical", "look at it"],
      ["warning", "look at it"],
    ],
  );
});

it("what keeps a server from signing, or its Secret behind, is told with what to do about it", () => {
  const forked = { detail: "forked", hint: "delete it" };
  const said = [
    ...checkSigning([forked]),
    ...checkTrustSecret({ ...trust, problems: [forked] }),
    ...checkTrustSecret({ ...trust, isBehind: true, shortfall: tooLarge }),
  ];
  assert.deepEqual(
    said.map(({ hint }) => hint),
    ["delete it", "delete it", tooLarge.hint],
  );
});

const tables = { rbac, times, crds, audiences, webhook, cluster, server };

for (const [name, rows] of Object.entries(tables)) {
  describe(`the checks of ${name}`, () => {
    for (const [what, said, status, words] of rows) {
      it(`call ${what} ${status}`, () => {
        const [first] = said;
        assert.ok(first !== undefined);
        assert.deepEqual([said.length, first.status], [1, status], JSON.stringify(said));
        assert.match(first.finding, words);
        // Whoever is told of a trouble is told what to do.
        if (status === "warning" || status === "critical") assert.notEqual(first.hint, "");
      });
    }
  });
}
