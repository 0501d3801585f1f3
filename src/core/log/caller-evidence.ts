/** What the log keeps of a caller's proof: enough to find the token and the pod again, and never the token. */

import { createHash } from "node:crypto";
import type { Caller, CallerEvidence } from "../identity/caller.ts";
import type { LoggedEvidence } from "./entry.ts";

const nothing: Omit<LoggedEvidence, "method"> = {
  issuer: "",
  tokenId: "",
  namespace: "",
  pod: "",
  podUid: "",
  node: "",
  address: "",
};

/** Of what the server makes for itself. */
export const serverEvidence: LoggedEvidence = { method: "server", ...nothing };

/** @param address where the call came from */
export function evidenceOf({ evidence, namespace }: Caller, address: string): LoggedEvidence {
  return {
    ...nothing,
    ...proofOf(evidence),
    namespace: nameOf(namespace),
    pod: nameOf(evidence.pod?.name),
    podUid: nameOf(evidence.pod?.uid),
    node: nameOf(evidence.node?.name),
    address: nameOf(address),
  };
}

function proofOf(evidence: CallerEvidence): Pick<LoggedEvidence, "method" | "issuer" | "tokenId"> {
  switch (evidence.method) {
    case "jwt":
      return {
        method: "kubernetes",
        issuer: issuerOf(evidence.issuer),
        tokenId: nameOf(evidence.tokenId),
      };
    case "oidc":
      // Not every issuer names its tokens; whom it speaks of it always says.
      return {
        method: "oidc",
        issuer: issuerOf(evidence.issuer),
        tokenId: nameOf(evidence.tokenId ?? `sub:${evidence.subject}`),
      };
    case "x5c":
      return {
        method: "x5c",
        issuer: issuerOf(`${evidence.entry} sha256:${evidence.fingerprint}`),
        tokenId: nameOf(evidence.tokenId),
      };
    case "join-token":
      return { method: "join-token", issuer: "", tokenId: nameOf(evidence.joinTokenId) };
    case "certificate":
      // The token with which the chain of renewals began, and the certificate that is renewed.
      return {
        method: "certificate",
        issuer: `serial:${evidence.serialHex}`,
        tokenId: nameOf(evidence.joinTokenId),
      };
  }
}

const NAME_BYTES_MAX = 254;
const ISSUER_BYTES_MAX = 1_024;

const nameOf = (text = ""): string => within(text, NAME_BYTES_MAX);
const issuerOf = (text: string): string => within(text, ISSUER_BYTES_MAX);

/** What is too long is named by its digest: an entry must not fail because of what an issuer wrote. */
function within(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
