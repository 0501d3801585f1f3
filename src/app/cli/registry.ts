/**
 * The verbs. A verb is added by one line here and one module in `verbs/`; its module is imported
 * only when it is used, so `svid show` never loads gRPC. `help` belongs to the frame.
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
    path: ["svid", "fetch"],
    summary: "Get a certificate into a directory",
    load: async () => (await import("./verbs/svid-fetch.ts")).svidFetch,
  },
  {
    path: ["svid", "show"],
    summary: "Show the certificates of a PEM file",
    load: async () => (await import("./verbs/svid-show.ts")).svidShow,
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
    path: ["token", "mint"],
    summary: "Mint a token that dev's server believes",
    load: async () => (await import("./verbs/token-mint.ts")).tokenMint,
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
