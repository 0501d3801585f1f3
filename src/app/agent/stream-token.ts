/**
 * The service-account token that an SDS stream brings along, as Envoy's file-based metadata credentials send it, or under
 * the names that Istio's node agents had for it. Read and bounded here, believed by nobody: what it proves, the server says.
 */

import type { Metadata } from "@grpc/grpc-js";
import { hash } from "node:crypto";
import { PortcullisError } from "../../core/error.ts";
import { extractBearer } from "../../edge/authn/bearer.ts";

export class StreamTokenError extends PortcullisError<"token-missing" | "token-malformed"> {
  override name = "StreamTokenError";
}

/** Raw bytes; the misspelt one is that of Istio 1.1. */
const istioHeaders = ["istio_sds_credentials_header-bin", "istio_sds_credentail_header-bin"];
/** The longest that a server takes is shorter. */
const tokenCharsMax = 12_288;

/** @throws StreamTokenError, AuthnError; neither says anything of the token */
export function streamToken(metadata: Metadata): string {
  const bearers = metadata.get("authorization").map(String);
  const raw = istioHeaders.flatMap((name) => metadata.get(name));
  if (bearers.length + raw.length > 1) {
    // Whoever else looks may pick the other.
    const count = bearers.length + raw.length;
    throw new StreamTokenError("token-malformed", `expected one token, got ${count}`);
  }
  const [bytes] = raw;
  const token = (bytes === undefined ? extractBearer(bearers) : String(bytes)).trim();
  if (token === "") throw new StreamTokenError("token-missing", "expected a token, got none");
  if (token.length > tokenCharsMax) {
    throw new StreamTokenError(
      "token-malformed",
      `expected a token of at most ${tokenCharsMax} characters, got ${token.length}`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new StreamTokenError("token-malformed", "expected a token of printable ASCII");
  }
  return token;
}

/** What stands for a token in names and logs: it cannot be turned back. */
export function tokenDigest(token: string): string {
  return hash("sha256", token, "hex");
}
