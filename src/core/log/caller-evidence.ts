/** What the log keeps of a caller's proof: enough to find the token and the pod again, and never the token. */

import { hash } from "node:crypto";
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

/** Of an agent that asks for no identity of its own, by the certificate that it came with. */
export function certificateEvidence(serialHex: string, address: string): LoggedEvidence {
  const issuer = `serial:${serialHex}`;
  return { ...nothing, method: "certificate", issuer, address: nameOf(address) };
}

/** @param address where the call came from */
export function evidenceOf({ evidence, namespace }: Caller, address: string): LoggedEvidence {
  return {
    ...nothing,
    ...proofOf(evidence),
    namespace: nameOf(namespace),
    pod: nameOf(evidence.pod?.name),
    podUid: nameOf(evidence.pod?.uid),
    node: nameOf(evidence.method === "node" ? evidence.onNode : evidence.node?.name),
    address: nameOf(address),
  };
}

type Proof = Pick<LoggedEvidence, "method" | "issuer" | "tokenId">;

function proofOf(evidence: CallerEvidence): Proof {
  const { method } = evidence;
  if (method === "jwt") {
    const { issuer, tokenId } = evidence;
    return { method: "kubernetes", issuer: issuerOf(issuer), tokenId: nameOf(tokenId) };
  }
  if (method === "node") {
    // Whose pods these are is not known by name: what is named is who asked.
    const { by, askedBy, tokenId } = evidence;
    const issuer = issuerOf(`${by} pod:${askedBy.name} uid:${askedBy.uid}`);
    return { method, issuer, tokenId: nameOf(tokenId) };
  }
  if (method === "oidc") {
    // Not every issuer names its tokens; whom it speaks of it always says.
    const { issuer, tokenId = `sub:${evidence.subject}` } = evidence;
    return { method, issuer: issuerOf(issuer), tokenId: nameOf(tokenId) };
  }
  if (method === "x5c") {
    const { entry, fingerprint, tokenId } = evidence;
    return { method, issuer: issuerOf(`${entry} sha256:${fingerprint}`), tokenId: nameOf(tokenId) };
  }
  // Also of a renewal it is the token with which the chain began; what is renewed stands beside it.
  const issuer = method === "certificate" ? `serial:${evidence.serialHex}` : "";
  return { method, issuer, tokenId: nameOf(evidence.joinTokenId) };
}

const NAME_BYTES_MAX = 254;
const ISSUER_BYTES_MAX = 1_024;

const IDENTITY_BYTES_MAX = 2_048;

/** Of a serving certificate, which may have many names. */
export const identityOf = (names: readonly string[]): string =>
  within(names.join(","), IDENTITY_BYTES_MAX);
const nameOf = (text = ""): string => within(text, NAME_BYTES_MAX);
const issuerOf = (text: string): string => within(text, ISSUER_BYTES_MAX);

/** What is too long is named by its digest: an entry must not fail because of what an issuer wrote. */
function within(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  return `sha256:${hash("sha256", text, "hex")}`;
}
