/**
 * Whom a token names, read without verifying it: only to notice that a state directory belongs to somebody else. What the
 * workload is, the CA decides.
 */

import { parseServiceAccountSubject } from "../../core/identity/service-account.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { readBoundedFile } from "../../edge/config/private-files.ts";

/** @returns false only when the token can be read and names another service account */
export async function tokenAgreesWith(tokenFile: string, id: SpiffeId): Promise<boolean> {
  try {
    const token = Buffer.from(await readBoundedFile(tokenFile, 1_048_576)).toString();
    const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
    const { sub } = JSON.parse(payload) as { readonly sub?: unknown };
    const account = parseServiceAccountSubject(String(sub));
    return SpiffeId.forServiceAccount(id.trustDomain, account.namespace, account.name).equals(id);
  } catch {
    // No token, or none of Kubernetes: an agent that starts in an outage has to do with what it has.
    return true;
  }
}
