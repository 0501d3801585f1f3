/** All targets by name. A target's module is loaded when it is wanted: coverage then sees its code only. */

import type { FuzzTarget } from "./target.ts";

const rooms = {
  certificate: async () => (await import("./targets/certificate.ts")).certificate,
  csr: async () => (await import("./targets/csr.ts")).csr,
  "websocket-frames": async () => (await import("./targets/websocket-frames.ts")).websocketFrames,
  pem: async () => (await import("./targets/text.ts")).pem,
  "spiffe-id": async () => (await import("./targets/text.ts")).spiffeId,
  "bundle-document": async () => (await import("./targets/documents.ts")).bundleDocument,
  jwks: async () => (await import("./targets/documents.ts")).jwks,
  "trust-state": async () => (await import("./targets/documents.ts")).trustState,
  config: async () => (await import("./targets/config.ts")).config,
  jws: async () => (await import("./targets/jws.ts")).jws,
  "kubernetes-token": async () => (await import("./targets/tokens.ts")).kubernetesToken,
  "oidc-token": async () => (await import("./targets/tokens.ts")).oidcToken,
  "x5c-token": async () => (await import("./targets/x5c-token.ts")).x5cToken,
  "ca-request": async () => (await import("./targets/messages.ts")).caRequest,
  "mesh-request": async () => (await import("./targets/messages.ts")).meshRequest,
  manifests: async () => (await import("./targets/manifests.ts")).manifests,
  policy: async () => (await import("./targets/policy.ts")).policy,
  "sds-request": async () => (await import("./targets/sds.ts")).sdsRequest,
  "sds-delta": async () => (await import("./targets/sds.ts")).sdsDelta,
  "access-log": async () => (await import("./targets/access-log.ts")).accessLog,
  "log-entry": async () => (await import("./targets/log.ts")).logEntry,
  note: async () => (await import("./targets/log.ts")).note,
  "admission-review": async () => (await import("./targets/admission-review.ts")).admission,
  "proof-file": async () => (await import("./targets/proof-file.ts")).proofFile,
} satisfies Record<string, () => Promise<FuzzTarget>>;

export const targetNames: readonly string[] = Object.keys(rooms);

export async function findTarget(name: string): Promise<FuzzTarget> {
  const load = Object.entries(rooms).find(([known]) => known === name)?.[1];
  if (load !== undefined) return load();
  throw new TypeError(`no target ${name}; there are ${targetNames.join(", ")}`);
}
