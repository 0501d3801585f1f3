/**
 * The verbs. A verb is added by one line here and one module in `verbs/`; its module is imported
 * only when it is used, so `svid show FILE` never loads gRPC. `help` belongs to the frame.
 */

import type { Registry } from "./command.ts";

export const REGISTRY: Registry = [
  {
    path: ["dev"],
    summary: "Run a control plane to try things with",
    load: async () => (await import("./verbs/dev.ts")).dev,
  },
  {
    path: ["server"],
    summary: "Run a control plane",
    load: async () => (await import("./verbs/server.ts")).server,
  },
  {
    path: ["agent"],
    summary: "Run the agent of a workload and its Envoys",
    load: async () => (await import("./verbs/agent.ts")).agent,
  },
  {
    path: ["status"],
    summary: "Show the server and what each proxy has proved",
    load: async () => (await import("./verbs/status.ts")).status,
  },
  {
    path: ["doctor"],
    summary: "Look for what is wrong with a server and its cluster",
    load: async () => (await import("./verbs/doctor.ts")).doctor,
  },
  {
    path: ["svid", "fetch"],
    summary: "Get a certificate into a directory",
    load: async () => (await import("./verbs/svid-fetch.ts")).svidFetch,
  },
  {
    path: ["svid", "list"],
    summary: "List what was signed, and who holds it",
    load: async () => (await import("./verbs/svid-list.ts")).svidList,
  },
  {
    path: ["svid", "show"],
    summary: "Show the certificates of a PEM file, or one by its serial",
    load: async () => (await import("./verbs/svid-show.ts")).svidShow,
  },
  {
    path: ["audit", "tail"],
    summary: "Show the last entries of the transparency log",
    load: async () => (await import("./verbs/audit-tail.ts")).auditTail,
  },
  {
    path: ["audit", "show"],
    summary: "Show an entry of the transparency log",
    load: async () => (await import("./verbs/audit-show.ts")).auditShow,
  },
  {
    path: ["audit", "verify"],
    summary: "Verify all of the transparency log",
    load: async () => (await import("./verbs/audit-verify.ts")).auditVerify,
  },
  {
    path: ["audit", "prove"],
    summary: "Prove that a certificate is in the log",
    load: async () => (await import("./verbs/audit-prove.ts")).auditProve,
  },
  {
    path: ["audit", "check-proof"],
    summary: "Verify such a proof, without the log",
    load: async () => (await import("./verbs/audit-check-proof.ts")).auditCheckProof,
  },
  {
    path: ["audit", "key"],
    summary: "Print the log's verifier key",
    load: async () => (await import("./verbs/audit-key.ts")).auditKey,
  },
  {
    path: ["audit", "prune"],
    summary: "Forget old entries of the log",
    load: async () => (await import("./verbs/audit-prune.ts")).auditPrune,
  },
  {
    path: ["jwt", "fetch"],
    summary: "Get a JWT-SVID from the workload's agent",
    load: async () => (await import("./verbs/jwt-fetch.ts")).jwtFetch,
  },
  {
    path: ["jwt", "validate"],
    summary: "Ask the agent whether a JWT-SVID is good",
    load: async () => (await import("./verbs/jwt-validate.ts")).jwtValidate,
  },
  {
    path: ["bundle", "show"],
    summary: "Show the trust bundle, or another trust domain's",
    load: async () => (await import("./verbs/bundle-show.ts")).bundleShow,
  },
  {
    path: ["join-token", "create"],
    summary: "Make a token that gets a machine its first certificate",
    load: async () => (await import("./verbs/join-token-create.ts")).joinTokenCreate,
  },
  {
    path: ["deny", "add"],
    summary: "Give an identity or a certificate's holder nothing any more",
    load: async () => (await import("./verbs/deny-add.ts")).denyAdd,
  },
  {
    path: ["deny", "list"],
    summary: "Show who is denied, and why",
    load: async () => (await import("./verbs/deny-list.ts")).denyList,
  },
  {
    path: ["deny", "remove"],
    summary: "End a denial",
    load: async () => (await import("./verbs/deny-remove.ts")).denyRemove,
  },
  {
    path: ["clock", "accept"],
    summary: "Say that the server's clock is right after a jump",
    load: async () => (await import("./verbs/clock-accept.ts")).clockAccept,
  },
  {
    path: ["token", "mint"],
    summary: "Mint a token that dev's server believes",
    load: async () => (await import("./verbs/token-mint.ts")).tokenMint,
  },
  {
    path: ["root", "status"],
    summary: "Show the authorities, who lags, and what may be done next",
    load: async () => (await import("./verbs/root-status.ts")).rootStatus,
  },
  {
    path: ["root", "plan"],
    summary: "Show what a rotation would do here, and how long",
    load: async () => (await import("./verbs/root-plan.ts")).rootPlan,
  },
  {
    path: ["root", "prepare"],
    summary: "Begin a rotation: trust a new root",
    load: async () => (await import("./verbs/root-prepare.ts")).rootPrepare,
  },
  {
    path: ["root", "adopt"],
    summary: "Take over the CA of an Istio mesh",
    load: async () => (await import("./verbs/root-adopt.ts")).rootAdopt,
  },
  {
    path: ["root", "activate"],
    summary: "Let the prepared authority sign",
    load: async () => (await import("./verbs/root-activate.ts")).rootActivate,
  },
  {
    path: ["root", "rollback"],
    summary: "Let the retiring authority sign again",
    load: async () => (await import("./verbs/root-rollback.ts")).rootRollback,
  },
  {
    path: ["root", "retire"],
    summary: "Trust the old root no more",
    load: async () => (await import("./verbs/root-retire.ts")).rootRetire,
  },
  {
    path: ["root", "abort"],
    summary: "Withdraw the prepared authority",
    load: async () => (await import("./verbs/root-abort.ts")).rootAbort,
  },
  {
    path: ["root", "compromise"],
    summary: "Distrust an authority whose key has leaked",
    load: async () => (await import("./verbs/root-compromise.ts")).rootCompromise,
  },
  {
    path: ["root", "rotate"],
    summary: "Run a whole rotation, as the gates open",
    load: async () => (await import("./verbs/root-rotate.ts")).rootRotate,
  },
  {
    path: ["root", "csr"],
    summary: "Make a key and a request for an offline root",
    load: async () => (await import("./verbs/root-csr.ts")).rootCsr,
  },
  {
    path: ["root", "import"],
    summary: "Take what an offline root signed",
    load: async () => (await import("./verbs/root-import.ts")).rootImport,
  },
  {
    path: ["backup"],
    summary: "Write what a server keeps into an encrypted file",
    load: async () => (await import("./verbs/backup.ts")).backup,
  },
  {
    path: ["restore"],
    summary: "Make a data directory out of a backup",
    load: async () => (await import("./verbs/restore.ts")).restore,
  },
  {
    path: ["apply"],
    summary: "Give a server objects of its configuration",
    load: async () => (await import("./verbs/apply.ts")).apply,
  },
  {
    path: ["get"],
    summary: "Show the objects of a server's configuration",
    load: async () => (await import("./verbs/get.ts")).get,
  },
  {
    path: ["diff"],
    summary: "Compare files with a server's configuration",
    load: async () => (await import("./verbs/diff.ts")).diff,
  },
  {
    path: ["delete"],
    summary: "Take objects out of a server's configuration",
    load: async () => (await import("./verbs/delete.ts")).deleteVerb,
  },
  {
    path: ["validate"],
    summary: "Say what is wrong with policies, or weaker than it looks",
    load: async () => (await import("./verbs/validate.ts")).validate,
  },
  {
    path: ["policy", "import"],
    summary: "Turn Istio 1.0's manifests into today's",
    load: async () => (await import("./verbs/policy-import.ts")).policyImport,
  },
  {
    path: ["mtls", "explain"],
    summary: "Say what a port takes or what becomes of a call, and why",
    load: async () => (await import("./verbs/mtls-explain.ts")).mtlsExplain,
  },
  {
    path: ["mtls", "diff"],
    summary: "Show what a change of policies would do to whom",
    load: async () => (await import("./verbs/mtls-diff.ts")).mtlsDiff,
  },
  {
    path: ["mtls", "status"],
    summary: "Show what each port takes, and who waits for whom",
    load: async () => (await import("./verbs/mtls-status.ts")).mtlsStatus,
  },
  {
    path: ["mtls", "check"],
    summary: "Say whether ports can go strict, and who would be refused",
    load: async () => (await import("./verbs/mtls-check.ts")).mtlsCheck,
  },
  {
    path: ["mtls", "flip"],
    summary: "Make ports refuse what is not mTLS, in stages",
    load: async () => (await import("./verbs/mtls-flip.ts")).mtlsFlip,
  },
  {
    path: ["mtls", "revert"],
    summary: "Take a flip back",
    load: async () => (await import("./verbs/mtls-revert.ts")).mtlsRevert,
  },
  {
    path: ["mtls", "permissive"],
    summary: "Let ports take plaintext until a date",
    load: async () => (await import("./verbs/mtls-permissive.ts")).mtlsPermissive,
  },
  {
    path: ["mtls", "plan"],
    summary: "Show in which order a namespace can go strict",
    load: async () => (await import("./verbs/mtls-plan.ts")).mtlsPlan,
  },
  {
    path: ["mtls", "waivers", "list"],
    summary: "Show whom checks and flips pass over, by whose word",
    load: async () => (await import("./verbs/mtls-waivers-list.ts")).mtlsWaiversList,
  },
  {
    path: ["mtls", "waivers", "add"],
    summary: "Pass over a caller, also for a flip under way",
    load: async () => (await import("./verbs/mtls-waivers-add.ts")).mtlsWaiversAdd,
  },
  {
    path: ["mtls", "waivers", "end"],
    summary: "Let a waived caller count again",
    load: async () => (await import("./verbs/mtls-waivers-end.ts")).mtlsWaiversEnd,
  },
  {
    path: ["envoy", "bootstrap"],
    summary: "Print a bootstrap for an Envoy of the mesh",
    load: async () => (await import("./verbs/envoy-bootstrap.ts")).envoyBootstrapVerb,
  },
  {
    path: ["completion"],
    summary: "Print a completion script for a shell",
    load: async () => (await import("./verbs/completion.ts")).completion,
  },
  {
    path: ["version"],
    summary: "Show the version",
    load: async () => (await import("./verbs/version.ts")).version,
  },
];
